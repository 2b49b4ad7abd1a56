import { hostsOf, type RedisAddress } from './address.js';

/** Redis cannot be used as it is. The message is a sentence that says why, and what would be right; it has no secret. */
export class RedisFault extends Error {
  override readonly name = 'RedisFault';
}

/** Redis is not connected just now, so nothing was sent. */
export class NotConnected extends Error {
  override readonly name = 'NotConnected';
  constructor() {
    super('Redis is not connected');
  }
}

/** The sentence about a write that Redis refused because its memory is full; another error is returned as it is. */
export const asFull = (error: unknown): unknown =>
  error instanceof Error && error.message.startsWith('OOM')
    ? new RedisFault('Redis has used up its maxmemory, and takes nothing more (OOM).')
    : error;

/** The sentence about commands that the user may not run. */
export const denied = (address: RedisAddress, commands: string): string =>
  `Redis at ${hostsOf(address)} does not allow its user "${address.username ?? 'default'}" to run ${commands} on our keys; its ACL must have every command and key that docs/operations/redis.md names.`;
