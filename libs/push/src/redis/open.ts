import type { Redis, RedisOptions } from './redis.js';

const PREFIX = /^[\w.:-]{1,64}$/;

/** Whether the keys may begin with it. */
export const isRedisPrefix = (text: string): boolean => PREFIX.test(text);

/**
 * Connects and checks that Redis can do what we need.
 * @throws RedisFault with a sentence; RangeError for a prefix that is none
 */
export async function openRedis(options: RedisOptions): Promise<Redis> {
  const { prefix = 'crossfade' } = options;
  if (!isRedisPrefix(prefix)) {
    throw new RangeError(`prefix must be up to 64 letters, digits, "-", "_", "." and ":", not ${prefix}`);
  }
  // The client has hundreds of modules, which a process without Redis does not need.
  const { connect } = await import('./connect.js');
  return connect({ ...options, prefix });
}
