import { metrics, type MeterProvider } from '@opentelemetry/api';
import { systemClock } from '../clock.js';
import { asFault } from './client-fault.js';
import { RedisConnection } from './connection.js';
import { redisLimiters } from './limiter.js';
import type { Redis, RedisOptions } from './redis.js';
import { checkServer } from './server-check.js';

/** How long a probe waits, milliseconds. */
const PROBE_MS = 1000;

/** What `openRedis` does. @throws RedisFault with a sentence */
export async function connect(options: RedisOptions & { readonly prefix: string }): Promise<Redis> {
  const { address, prefix, name = 'crossfade', clock = systemClock } = options;
  const { onError = (error: unknown, doing: string) => console.error(doing, error) } = options;
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
