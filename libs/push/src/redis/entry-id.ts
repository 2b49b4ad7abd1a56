import type { Offset } from '../log.js';

/** The id that Redis gives an entry of a stream: `MILLISECONDS-NUMBER`. */
export type EntryId = string;

/** Before every entry. */
export const FIRST: EntryId = '0-0';

const ENTRY_ID = /^(\d{1,19})-(\d{1,19})$/;
const PART_BITS = 64n;

/** An id as a number, in the order of ids; undefined: it is no id. */
export function entryNumber(id: EntryId): bigint | undefined {
  const parts = ENTRY_ID.exec(id);
  return parts === null ? undefined : (BigInt(parts[1] ?? 0) << PART_BITS) | BigInt(parts[2] ?? 0);
}

/** When Redis gave the id, milliseconds since 1970 by its clock. */
export const millisecondsOf = (id: EntryId): number => Number.parseInt(id, 10);

/** Whether one id comes before another. */
export const isBefore = (one: EntryId, other: EntryId): boolean =>
  (entryNumber(one) ?? 0n) < (entryNumber(other) ?? 0n);

export const later = (one: EntryId, other: EntryId): EntryId => (isBefore(one, other) ? other : one);

/**
 * Where an entry is in the order of this process. `generation`: how often this process has found the log to be another one.
 * Ids of the next may be smaller, if its server's clock is behind.
 */
export const offsetOf = (generation: number, id: EntryId): Offset =>
  (BigInt(generation) << (2n * PART_BITS)) | (entryNumber(id) ?? 0n);
