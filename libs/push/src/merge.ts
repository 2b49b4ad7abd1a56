import type { LogRecord } from './log.js';

/** What is compared of a frame. */
interface Mergeable {
  readonly key: string;
  readonly keyHash: number;
  readonly record: Pick<LogRecord, 'delivery'>;
}

/**
 * Whether an earlier frame that waits in a write queue may be merged into a later one: both are invalidations with the
 * same key, so a client that refetches once sees all that both tell it.
 */
export function canMerge(earlier: Mergeable, later: Mergeable): boolean {
  return (
    // The hashes first: most frames that are compared differ.
    earlier.keyHash === later.keyHash &&
    earlier.record.delivery === 'invalidation' &&
    later.record.delivery === 'invalidation' &&
    earlier.key === later.key
  );
}

/** FNV-1a (RFC 9923), of UTF-16 code units. */
export function hashKey(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  return hash;
}
