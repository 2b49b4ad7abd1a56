import { RateLimiterRedis } from 'rate-limiter-flexible';
import { FlexibleLimiter } from '../flexible-limiter.js';
import type { MakeLimiter } from '../limiter.js';
import { AllOrNone } from '../memory/limiter.js';
import type { RedisConnection } from './connection.js';
import type { Reply } from './reply.js';
import { Script } from './script.js';

/** How long a request may wait for Redis to count it, milliseconds. */
const LIMIT_MS = 300;

/**
 * Counts points if they fit. Negative ones are taken back.
 * ARGV: points, seconds of a period, the limit. Returns what is counted, or would be if it fitted, and what is left of the
 * period in milliseconds.
 */
const COUNT = new Script(`#!lua
local points = tonumber(ARGV[1])
local counted = math.max(0, tonumber(redis.call('GET', KEYS[1]) or '0') + points)
local left = redis.call('PTTL', KEYS[1])
if left < 0 then left = tonumber(ARGV[2]) * 1000 end
if points <= 0 or counted <= tonumber(ARGV[3]) then
  redis.call('SET', KEYS[1], string.format('%d', counted), 'PX', string.format('%d', math.max(1, left)))
end
return {counted, left}
`);

/**
 * Limiters that all processes with this prefix share. While Redis is away, or takes longer than 300 ms, each process counts
 * by itself. A key of Redis ends with its period: `PREFIX:limit:NAME:KEY`.
 */
export function redisLimiters(connection: RedisConnection, prefix: string): MakeLimiter {
  const storeClient = new CountingClient(connection);
  return (name, points, seconds) =>
    new FlexibleLimiter(
      new RateLimiterRedis({
        storeClient,
        useRedisPackage: true,
        rejectIfRedisNotReady: true,
        customIncrTtlLuaScript: COUNT.source,
        keyPrefix: `${prefix}:limit:${name}`,
        points,
        duration: seconds,
        insuranceLimiter: new AllOrNone({ points, duration: seconds }),
      }),
      seconds,
    );
}

/** As much of a client of node-redis as the library calls, over a connection with our deadlines. */
class CountingClient {
  constructor(private readonly connection: RedisConnection) {}

  get isReady(): boolean {
    return this.connection.isReady;
  }

  eval(_source: string, { keys: [key], arguments: args }: { keys: [string]; arguments: string[] }) {
    return this.connection.run(COUNT, [key], args, LIMIT_MS);
  }

  multi() {
    const commands: [string, string][] = [];
    const multi = {
      get: (key: string) => (commands.push(['GET', key]), multi),
      pTTL: (key: string) => (commands.push(['PTTL', key]), multi),
      exec: (): Promise<Reply[]> => Promise.all(commands.map((command) => this.#send(command))),
    };
    return multi;
  }

  async del(key: string): Promise<number> {
    return Number(await this.#send(['DEL', key]));
  }

  #send(command: [string, string]): Promise<Reply> {
    return this.connection.send(command[1], command, LIMIT_MS);
  }
}
