import type { IncomingMessage } from 'node:http';
import { metrics, type MeterProvider } from '@opentelemetry/api';
import { type Catalog } from '@crossfade/protocol';
import { catalog as crossfadeCatalog } from '@crossfade/protocol/catalog';
import { systemClock, type Clock } from './clock.js';
import type { LeaseStore } from './lease.js';
import type { MessageLog } from './log.js';
import { MemoryLeaseStore } from './memory/lease-store.js';
import { MemoryMessageLog } from './memory/log.js';
import type { Authenticator } from './principal.js';
import { MAX_MESSAGE_BYTES } from './publisher.js';

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
  /**
   * Bytes of a message with its type, as JSON: what a client reads at once, less its cursor. The publisher refuses more.
   * Lower it to what your clients' buffers hold. Default 2097152.
   */
  readonly maxMessageBytes?: number;
  /** Seconds between signs of life on a quiet stream. Default 15. */
  readonly keepAliveSeconds?: number;
  /** Seconds in which a socket must take a byte that waits for it. Default 30. */
  readonly stallSeconds?: number;
  /** Streams that one owner may hold at once. Default 10. */
  readonly maxConnectionsPerOwner?: number;
  /** Streams that may be open with all tokens of one tenant that are no person's. Default 100. */
  readonly maxConnectionsPerTenant?: number;
  /** Records that a replica remembers for resume, of up to 4096 characters; larger ones count as several. Default 10000. */
  readonly logCapacity?: number;
  /** Critical records that it remembers beside them. Default 1000. */
  readonly criticalCapacity?: number;
  /** And for how long, seconds. Default 86400, a day. */
  readonly criticalRetentionSeconds?: number;
  /** Seconds between two rounds of asking the authenticator about every open stream. Default 30. */
  readonly reauthorizeSeconds?: number;
  /**
   * Seconds for which a stream goes on while the authenticator cannot be asked about it: then it is handed nothing more,
   * and ended within `reauthorizeSeconds`; its client comes back with its cursor and misses nothing. 0: never.
   * Default four times `reauthorizeSeconds`.
   */
  readonly unconfirmedSeconds?: number;
  /** Seconds over which open streams are told to move when the program ends. Default 20. */
  readonly drainSeconds?: number;
  /** Streams that one owner may open in a minute. Default twelve times what it may hold: 120. */
  readonly connectsPerMinute?: number;
  /** Bad credentials that one address may send in a minute. Default 120. */
  readonly failuresPerMinute?: number;
  /**
   * Messages and pings that a WebSocket client may send at once, and in each second in the long run; one that sends more is
   * closed as `flooding` (1008). Nothing that it says is read. Defaults 20 and 5.
   */
  readonly inboundBurst?: number;
  readonly inboundPerSecond?: number;
  /** Admissions that are authenticated at once. Default 32. */
  readonly admissionsAtOnce?: number;
  /** Admissions that wait for that; more are refused as unavailable. Default 5000. */
  readonly admissionsWaiting?: number;
  /** Whose failures count together. The address of the socket by default, which behind a proxy is the proxy's. */
  readonly addressOf?: (request: IncomingMessage) => string;
  /** Where its metrics go. OpenTelemetry's global one by default, as it is when the module is made. */
  readonly meterProvider?: MeterProvider;
  /** Time; a test may bring a virtual one. */
  readonly clock?: Clock;
  /** In memory by default. */
  readonly log?: MessageLog;
  /** In memory by default. */
  readonly leases?: LeaseStore;
}

export type ResolvedPushOptions = Required<PushOptions>;

const WHOLE = [
  'writeQueueCapacity',
  'maxMessageBytes',
  'maxConnectionsPerOwner',
  'maxConnectionsPerTenant',
  'logCapacity',
  'criticalCapacity',
  'connectsPerMinute',
  'failuresPerMinute',
  'inboundBurst',
  'admissionsAtOnce',
  'admissionsWaiting',
] as const;
const POSITIVE = [
  'keepAliveSeconds',
  'stallSeconds',
  'criticalRetentionSeconds',
  'reauthorizeSeconds',
  'inboundPerSecond',
] as const;

/** @throws RangeError naming the option that is out of range. */
export function resolveOptions(options: PushOptions): ResolvedPushOptions {
  const resolved: ResolvedPushOptions = {
    authenticator: options.authenticator,
    catalog: options.catalog ?? crossfadeCatalog,
    enabled: options.enabled ?? true,
    allowedOrigins: options.allowedOrigins ?? [],
    writeQueueCapacity: options.writeQueueCapacity ?? 64,
    maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
    keepAliveSeconds: options.keepAliveSeconds ?? 15,
    stallSeconds: options.stallSeconds ?? 30,
    maxConnectionsPerOwner: options.maxConnectionsPerOwner ?? 10,
    maxConnectionsPerTenant: options.maxConnectionsPerTenant ?? 100,
    logCapacity: options.logCapacity ?? 10_000,
    criticalCapacity: options.criticalCapacity ?? 1000,
    criticalRetentionSeconds: options.criticalRetentionSeconds ?? 86_400,
    reauthorizeSeconds: options.reauthorizeSeconds ?? 30,
    unconfirmedSeconds: options.unconfirmedSeconds ?? 4 * (options.reauthorizeSeconds ?? 30),
    drainSeconds: options.drainSeconds ?? 20,
    connectsPerMinute: options.connectsPerMinute ?? 12 * (options.maxConnectionsPerOwner ?? 10),
    failuresPerMinute: options.failuresPerMinute ?? 120,
    inboundBurst: options.inboundBurst ?? 20,
    inboundPerSecond: options.inboundPerSecond ?? 5,
    admissionsAtOnce: options.admissionsAtOnce ?? 32,
    admissionsWaiting: options.admissionsWaiting ?? 5000,
    addressOf: options.addressOf ?? (({ socket }) => socket.remoteAddress ?? 'unknown'),
    meterProvider: options.meterProvider ?? metrics.getMeterProvider(),
    clock: options.clock ?? systemClock,
    log: options.log ?? new MemoryMessageLog({ clock: options.clock ?? systemClock }),
    leases: options.leases ?? new MemoryLeaseStore(),
  };
  for (const name of WHOLE) {
    if (!Number.isInteger(resolved[name]) || resolved[name] < 1) {
      throw new RangeError(`${name} must be a whole number of at least 1, not ${resolved[name]}`);
    }
  }
  for (const name of POSITIVE) {
    if (!(resolved[name] > 0)) throw new RangeError(`${name} must be more than 0, not ${resolved[name]}`);
  }
  const { unconfirmedSeconds, reauthorizeSeconds } = resolved;
  if (unconfirmedSeconds !== 0 && !(unconfirmedSeconds >= 2 * reauthorizeSeconds)) {
    throw new RangeError(
      `unconfirmedSeconds must be 0 or at least twice reauthorizeSeconds (${reauthorizeSeconds}), not ${unconfirmedSeconds}`,
    );
  }
  if (!(resolved.drainSeconds >= 0)) {
    throw new RangeError(`drainSeconds must not be less than 0, but it is ${resolved.drainSeconds}`);
  }
  return resolved;
}
