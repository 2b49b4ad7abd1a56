import type { MeterProvider } from '@opentelemetry/api';
import type { Clock } from '../clock.js';
import type { MakeLimiter } from '../limiter.js';
import type { RedisAddress } from './address.js';
import type { RedisConnection } from './connection.js';

export interface RedisOptions {
  /** `readRedisAddress` makes it of a URL. */
  readonly address: RedisAddress;
  /**
   * Begins the name of each key. Two installations that share a server have different ones. Up to 64 letters, digits, `-`,
   * `_`, `.` and `:`. Default `crossfade`.
   */
  readonly prefix?: string;
  /** Of this replica, in `CLIENT LIST`: printable ASCII without spaces. Default `crossfade`. */
  readonly name?: string;
  /** Hears of each connection that was lost or given up, and of each failed attempt to connect: a `RedisFault`. `console.error` by default. */
  readonly onError?: (error: unknown, doing: string) => void;
  /** Where its metrics go. By default OpenTelemetry's global one. */
  readonly meterProvider?: MeterProvider;
  readonly clock?: Clock;
}

/** Redis, checked and connected. */
export interface Redis {
  readonly prefix: string;
  /** For commands that are answered at once. */
  readonly commands: RedisConnection;
  /** For reads that block: a command behind one would wait as long. */
  readonly reads: RedisConnection;
  /** For reads that wait for the questions of other replicas. */
  readonly questions: RedisConnection;
  /** Limits shared by all replicas. Their connection is their own: its deadline is short, and passing it reopens it. */
  readonly limiter: MakeLimiter;
  /** Whether all connections are open. One to a server that hangs is, until a command has waited too long. */
  readonly isReady: boolean;
  /** Whether Redis answers within a second. */
  answers(): Promise<boolean>;
  close(): void;
}
