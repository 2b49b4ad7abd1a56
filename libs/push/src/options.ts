import type { IncomingMessage } from 'node:http';
import { hostname } from 'node:os';
import { metrics, type MeterProvider } from '@opentelemetry/api';
import type { Catalog } from '@crossfade/protocol';
import { systemClock, type Clock } from './clock.js';
import type { Journal } from './journal.js';
import type { LeaseStore } from './lease.js';
import type { MakeLimiter } from './limiter.js';
import type { MessageLog } from './log.js';
import { MemoryLeaseStore } from './memory/lease-store.js';
import { LoneReplica } from './memory/replicas.js';
import { memoryLimiter } from './memory/limiter.js';
import type { Authenticator } from './principal.js';
import { MAX_MESSAGE_BYTES } from './publisher.js';
import type { Replicas } from './replicas.js';

/** Where the library logs. `console` is one, and so is NestJS' `Logger`. */
export interface PushLogger {
  log(line: string): void;
  warn(line: string): void;
  error(line: string): void;
}

/** What a program that uses the library decides. The catalog and the authenticator have no default. */
export interface PushOptions<C extends Catalog = Catalog> {
  /** Message types. `@crossfade/protocol/catalog` has Crossfade's own. */
  readonly catalog: C;
  readonly authenticator: Authenticator;
  /** Off: both transports answer 404. Publishing goes on. Default true. */
  readonly enabled?: boolean;
  /** `Origin`s that may open a stream besides the server's own host. Default none. */
  readonly allowedOrigins?: readonly string[];
  /** Messages that wait for one slow socket. A stream with more falls behind, and reads on from the window. Default 64. */
  readonly writeQueueCapacity?: number;
  /**
   * Bytes of a message with its type, as JSON: what a client reads at once, less its cursor. The publisher refuses larger
   * ones. Lower it to what your clients' buffers hold. Default 2097152.
   */
  readonly maxMessageBytes?: number;
  /** Seconds between keep-alives on a quiet stream. Default 15. */
  readonly keepAliveSeconds?: number;
  /** Seconds in which a socket must take a byte that waits for it. Else its stream is closed as `slow`. Default 30. */
  readonly stallSeconds?: number;
  /** Streams that one owner may hold at once. More are refused as `limit`. Default 10. */
  readonly maxConnectionsPerOwner?: number;
  /** Streams that may be open with all tokens of one tenant that are no person's. Default 100. */
  readonly maxConnectionsPerTenant?: number;
  /**
   * Records that a replica retains for resume, of up to 4096 characters; larger ones count as several. A client that missed
   * more gets `Resync`. Default 10000.
   */
  readonly windowCapacity?: number;
  /** Critical records that it retains beside them. Default 1000. */
  readonly criticalCapacity?: number;
  /** And for how long, seconds. Default 86400, a day. */
  readonly criticalRetentionSeconds?: number;
  /** Seconds between two rounds of asking the authenticator about every open stream. Default 30. */
  readonly reauthorizeSeconds?: number;
  /**
   * Seconds for which a stream goes on while the authenticator does not answer about it. Then it is suspended, and closed
   * within `reauthorizeSeconds`; its client comes back with its cursor and misses nothing. 0: never. Default four times
   * `reauthorizeSeconds`; never, if the authenticator has no `reauthorize`.
   */
  readonly unconfirmedSeconds?: number;
  /** Seconds over which open streams are told to move when the program ends. Default 20. */
  readonly drainSeconds?: number;
  /** Streams that one owner may open in a minute. Default twelve times what it may hold: 120. */
  readonly connectsPerMinute?: number;
  /** Bad credentials that one address may send in a minute. Default 120. */
  readonly failuresPerMinute?: number;
  /**
   * Messages and pings that a WebSocket client may send at once, and in each second in the long run. One that sends more
   * is closed as `flooding` (1008). What it sends is not read. Defaults 20 and 5.
   */
  readonly inboundBurst?: number;
  readonly inboundPerSecond?: number;
  /** Admissions that are authenticated at once. Default 32. */
  readonly admissionsAtOnce?: number;
  /** Admissions that wait for that. More are refused as `unavailable`. Default 5000. */
  readonly admissionsWaiting?: number;
  /** Whose failures count together. The address of the socket by default, which behind a proxy is the proxy's. */
  readonly addressOf?: (request: IncomingMessage) => string;
  /** Where its metrics go. By default OpenTelemetry's global one, as it is when the library starts. */
  readonly meterProvider?: MeterProvider;
  /** Where its lines go. `console` by default; in NestJS, its `Logger`. */
  readonly logger?: PushLogger;
  /** A test may bring a virtual one. */
  readonly clock?: Clock;
  /** Chance, from 0 to 1. `Math.random` by default. */
  readonly random?: () => number;
  /** In memory by default. */
  readonly log?: MessageLog;
  /** Where critical messages survive the process. For the default log only; a log of yours brings its own. */
  readonly journal?: Journal;
  /** In memory by default. */
  readonly leases?: LeaseStore;
  /** How operators ask the other replicas. By default this one is alone, and has the host's name. */
  readonly replicas?: Replicas;
  /** Counts new streams and bad credentials. In memory by default. */
  readonly limiter?: MakeLimiter;
}

/** Options with defaults filled in; `log` is made where the library is wired, since it reports errors there. */
export type ResolvedPushOptions = Required<Omit<PushOptions, 'log' | 'journal'>> &
  Pick<PushOptions, 'log' | 'journal'>;

const WHOLE = [
  'writeQueueCapacity',
  'maxMessageBytes',
  'maxConnectionsPerOwner',
  'maxConnectionsPerTenant',
  'windowCapacity',
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

/** @throws RangeError naming the option that is wrong */
export function resolveOptions(options: PushOptions): ResolvedPushOptions {
  const resolved: ResolvedPushOptions = {
    authenticator: options.authenticator,
    catalog: options.catalog,
    enabled: options.enabled ?? true,
    allowedOrigins: options.allowedOrigins ?? [],
    writeQueueCapacity: options.writeQueueCapacity ?? 64,
    maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
    keepAliveSeconds: options.keepAliveSeconds ?? 15,
    stallSeconds: options.stallSeconds ?? 30,
    maxConnectionsPerOwner: options.maxConnectionsPerOwner ?? 10,
    maxConnectionsPerTenant: options.maxConnectionsPerTenant ?? 100,
    windowCapacity: options.windowCapacity ?? 10_000,
    criticalCapacity: options.criticalCapacity ?? 1000,
    criticalRetentionSeconds: options.criticalRetentionSeconds ?? 86_400,
    reauthorizeSeconds: options.reauthorizeSeconds ?? 30,
    unconfirmedSeconds: options.unconfirmedSeconds ?? defaultUnconfirmedSeconds(options),
    drainSeconds: options.drainSeconds ?? 20,
    connectsPerMinute: options.connectsPerMinute ?? 12 * (options.maxConnectionsPerOwner ?? 10),
    failuresPerMinute: options.failuresPerMinute ?? 120,
    inboundBurst: options.inboundBurst ?? 20,
    inboundPerSecond: options.inboundPerSecond ?? 5,
    admissionsAtOnce: options.admissionsAtOnce ?? 32,
    admissionsWaiting: options.admissionsWaiting ?? 5000,
    addressOf: options.addressOf ?? (({ socket }) => socket.remoteAddress ?? 'unknown'),
    meterProvider: options.meterProvider ?? metrics.getMeterProvider(),
    logger: options.logger ?? console,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    leases: options.leases ?? new MemoryLeaseStore(),
    replicas: options.replicas ?? new LoneReplica(hostname()),
    limiter: options.limiter ?? memoryLimiter,
    ...(options.log === undefined ? {} : { log: options.log }),
    ...(options.journal === undefined ? {} : { journal: options.journal }),
  };
  for (const name of WHOLE) {
    if (!Number.isInteger(resolved[name]) || resolved[name] < 1) {
      throw new RangeError(`${name} must be a whole number of at least 1, not ${resolved[name]}`);
    }
  }
  for (const name of POSITIVE) {
    if (!(resolved[name] > 0)) throw new RangeError(`${name} must be more than 0, not ${resolved[name]}`);
  }
  if (resolved.log !== undefined && resolved.journal !== undefined) {
    throw new RangeError('journal is for the default log; give it to your log, or leave log out');
  }
  const { unconfirmedSeconds, reauthorizeSeconds } = resolved;
  if (unconfirmedSeconds !== 0 && !(unconfirmedSeconds >= 2 * reauthorizeSeconds)) {
    throw new RangeError(
      `unconfirmedSeconds must be 0 or at least twice reauthorizeSeconds (${reauthorizeSeconds}), not ${unconfirmedSeconds}`,
    );
  }
  if (unconfirmedSeconds !== 0 && resolved.authenticator.reauthorize === undefined) {
    throw new RangeError(
      `unconfirmedSeconds must be 0 or left out where the authenticator has no reauthorize, not ${unconfirmedSeconds}`,
    );
  }
  if (!(resolved.drainSeconds >= 0)) {
    throw new RangeError(`drainSeconds must not be less than 0, but it is ${resolved.drainSeconds}`);
  }
  return resolved;
}

/** Without anyone to ask, no stream is ever confirmed again, so none may be suspended for it. */
const defaultUnconfirmedSeconds = ({ authenticator, reauthorizeSeconds = 30 }: PushOptions): number =>
  authenticator.reauthorize === undefined ? 0 : 4 * reauthorizeSeconds;
