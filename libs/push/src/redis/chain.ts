import type { HoleKind } from '../log.js';
import type { Entry } from './entry.js';
import { isBefore, type EntryId } from './entry-id.js';

/** What a reader knows of the log: its epoch, and the last entry that it has read. */
export interface ReadPosition {
  readonly epoch: string;
  readonly id: EntryId;
}

/** What the log was after a read. */
export interface LogState {
  /** Undefined: there is no log. */
  readonly epoch: string | undefined;
  readonly last: EntryId;
}

/**
 * Finds a hole between what a reader has read and what it reads now; undefined: there is none. Every entry names the one
 * before it, so a log that lost some of its last entries is found out by the next one; and by the state, if there is no
 * next one yet. Pure.
 * - `trimmed`: the reader was away for so long that the log dropped what it had not read
 * - `flushed`: the log is gone
 * - `replaced`: it is another log, or another reader found that it had lost entries
 * - `went_back`: it no longer has the last entry that was read
 * - `broken`: entries are missing in its middle
 */
export function findHole(
  { epoch, id }: ReadPosition,
  entries: readonly Entry[],
  state: LogState,
): HoleKind | undefined {
  const [first] = entries;
  if (first === undefined) {
    if (state.epoch === undefined) return 'flushed';
    if (state.epoch !== epoch) return 'replaced';
    return isBefore(state.last, id) ? 'went_back' : undefined;
  }
  if (first.epoch !== epoch) return 'replaced';
  if (first.prev !== id) return isBefore(first.prev, id) ? 'went_back' : 'trimmed';
  for (const [index, entry] of entries.entries()) {
    const before = entries[index - 1];
    if (before === undefined) continue;
    if (entry.epoch !== epoch) return 'replaced';
    if (entry.prev !== before.id) return 'broken';
  }
  return undefined;
}
