import { LoneReplica, type Journal, type PushOptions, type SharedJournal } from '@crossfade/push';
import { RedisLeaseStore, RedisMessageLog, RedisReplicas, type Redis } from '@crossfade/push/redis';
import { FaultLog } from '../process/fault-log.js';
import type { Settings } from '../process/settings.js';

/** What replicas share of push: the log, the leases, and what operators ask. Without Redis, this process has its own. */
export function sharedParts(
  redis: Redis | undefined,
  journal: Journal & SharedJournal,
  settings: Settings,
): Pick<PushOptions, 'log' | 'leases' | 'replicas' | 'journal'> {
  const { REPLICA_NAME: name, PUSH_HEARTBEAT_SECONDS: heartbeatSeconds } = settings;
  if (redis === undefined) return { journal, replicas: new LoneReplica(name) };
  const { commands, reads: reader, questions, prefix } = redis;
  const faults = new FaultLog('Push');
  return {
    log: new RedisMessageLog({
      commands,
      reader,
      prefix,
      journal,
      capacity: settings.PUSH_LOG_CAPACITY,
      criticalCapacity: settings.PUSH_CRITICAL_CAPACITY,
      criticalRetentionSeconds: settings.PUSH_CRITICAL_RETENTION_SECONDS,
      onError: (error, doing) => faults.failure(error, doing),
    }),
    leases: new RedisLeaseStore(commands, { prefix, heartbeatSeconds }),
    replicas: new RedisReplicas({ commands, questions, prefix, name }),
  };
}
