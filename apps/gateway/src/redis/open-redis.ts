import { openRedis, RedisFault, type Redis } from '@crossfade/push/redis';
import type { MeterProvider } from '@opentelemetry/api';
import { FaultLog } from '../process/fault-log.js';
import type { Settings } from '../process/settings.js';
import { StartupError } from '../process/startup-error.js';

/** Opens and checks the Redis of `REDIS_URL`; undefined without one. @throws StartupError */
export async function openSharedRedis(
  { REDIS_URL: address, REDIS_PREFIX: prefix, REPLICA_NAME: name }: Settings,
  meterProvider: MeterProvider,
): Promise<Redis | undefined> {
  if (address === undefined) return undefined;
  const faults = new FaultLog('Redis');
  try {
    return await openRedis({
      address,
      prefix,
      name,
      meterProvider,
      onError: (error, doing) => faults.failure(error, doing),
    });
  } catch (error) {
    throw error instanceof RedisFault ? new StartupError(`${error.message} See REDIS_URL.`) : error;
  }
}
