import { metrics, type MeterProvider } from '@opentelemetry/api';
import { systemClock, type Clock } from '../clock.js';
import type { MakeLimiter } from '../limiter.js';
import type { RedisAddress } from './address.js';
import { RedisConnection } from './connection.js';
import { asFault } from './fault.js';
import { redisLimiters } from './limiter.js';
import { checkServer } from './server-check.js';

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

/** How long a probe waits, milliseconds. */
const PROBE_MS = 1000;
const PREFIX = /^[\w.:-]{1,64}$/;

/** Whether the keys may begin with it. */
export const isRedisPrefix = (text: string): boolean => PREFIX.test(text);

/**
 * Connects and checks that Redis can do what we need.
 * @throws RedisFault with a sentence; RangeError for a prefix that is none
 */
export async function openRedis(options: RedisOptions): Promise<Redis> {
  const { address, prefix = 'crossfade', name = 'crossfade', clock = systemClock } = options;
  const { onError = (error: unknown, doing: string) => console.error(doing, error) } = options;
  if (!isRedisPrefix(prefix)) {
    throw new RangeError(`prefix must be up to 64 letters, digits, "-", "_", "." and ":", not ${prefix}`);
  }
  const open = (use: string) =>
    new RedisConnection({
      address,
      name: `${name}:${use}`,
      clock,
      onError: (error, doing) => onError(asFault(error, address), doing),
    });
  const commands = open('commands');
  const reads = open('reads');
  const questions = open('questions');
  const limits = open('limits');
  const all = [commands, reads, questions, limits];
  const close = () => all.forEach((connection) => connection.close());
  try {
    await Promise.all(all.map((connection) => connection.connect()));
    await checkServer(commands, address, prefix);
  } catch (error) {
    close();
    throw asFault(error, address);
  }
  const redis: Redis = {
    prefix,
    commands,
    reads,
    questions,
    limiter: redisLimiters(limits, prefix),
    get isReady() {
      return all.every(({ isReady }) => isReady);
    },
    answers: async () => {
      if (!redis.isReady) return false;
      const answer = commands.send(`{${prefix}}`, ['PING'], PROBE_MS);
      return answer.then(
        () => true,
        () => false,
      );
    },
    close,
  };
  observe(redis, all, options.meterProvider ?? metrics.getMeterProvider());
  return redis;
}

function observe(redis: Redis, all: readonly RedisConnection[], provider: MeterProvider): void {
  const meter = provider.getMeter('@crossfade/push');
  meter
    .createObservableGauge('crossfade.push.redis.ready', {
      description: 'Whether Redis is connected (1) or not (0)',
    })
    .addCallback((result) => result.observe(redis.isReady ? 1 : 0));
  meter
    .createObservableCounter('crossfade.push.redis.reconnects', {
      description: 'Times that a connection to Redis was opened again',
    })
    .addCallback((result) => result.observe(all.reduce((sum, { reconnects }) => sum + reconnects, 0)));
}
