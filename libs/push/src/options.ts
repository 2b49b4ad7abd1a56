import { catalog as crossfadeCatalog, type Catalog } from '@crossfade/protocol';
import type { LeaseStore } from './lease.js';
import type { MessageLog } from './log.js';
import { MemoryLeaseStore } from './memory/lease-store.js';
import { MemoryMessageLog } from './memory/log.js';
import type { Authenticator } from './principal.js';

/** What a program that uses the library decides. Only the authenticator has no default. */
export interface PushOptions {
  readonly authenticator: Authenticator;
  /** Message types; Crossfade's own by default. */
  readonly catalog?: Catalog;
  /** Off: both transports answer 404. Publishing goes on. Default true. */
  readonly enabled?: boolean;
  /** `Origin`s that may open a stream besides the server's own host. Default none. */
  readonly allowedOrigins?: readonly string[];
  /** Frames that wait for one slow socket. Default 64. */
  readonly writeQueueCapacity?: number;
  /** Seconds between signs of life on a quiet stream. Default 15. */
  readonly keepAliveSeconds?: number;
  /** Streams that one owner may hold at once. Default 10. */
  readonly maxConnectionsPerOwner?: number;
  /** Records that a replica remembers. Default 10000. */
  readonly logCapacity?: number;
  /** In memory by default. */
  readonly log?: MessageLog;
  /** In memory by default. */
  readonly leases?: LeaseStore;
}

export type ResolvedPushOptions = Required<PushOptions>;

/** @throws RangeError naming the option that is out of range. */
export function resolveOptions(options: PushOptions): ResolvedPushOptions {
  const resolved: ResolvedPushOptions = {
    authenticator: options.authenticator,
    catalog: options.catalog ?? crossfadeCatalog,
    enabled: options.enabled ?? true,
    allowedOrigins: options.allowedOrigins ?? [],
    writeQueueCapacity: options.writeQueueCapacity ?? 64,
    keepAliveSeconds: options.keepAliveSeconds ?? 15,
    maxConnectionsPerOwner: options.maxConnectionsPerOwner ?? 10,
    logCapacity: options.logCapacity ?? 10_000,
    log: options.log ?? new MemoryMessageLog(),
    leases: options.leases ?? new MemoryLeaseStore(),
  };
  for (const name of ['writeQueueCapacity', 'maxConnectionsPerOwner', 'logCapacity'] as const) {
    if (!Number.isInteger(resolved[name]) || resolved[name] < 1) {
      throw new RangeError(`${name} must be a whole number of at least 1, not ${resolved[name]}`);
    }
  }
  if (!(resolved.keepAliveSeconds > 0)) {
    throw new RangeError(`keepAliveSeconds must be more than 0, not ${resolved.keepAliveSeconds}`);
  }
  return resolved;
}
