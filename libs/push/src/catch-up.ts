import type { AudienceKey } from './audience.js';
import type { LoggedFrame } from './frame.js';
import type { Position } from './log.js';
import type { Window } from './window.js';
import type { WriteQueue } from './write-queue.js';

/**
 * How a stream gets its records.
 *
 *     live ──queue full──▶ behind ──▶ live: it has caught up
 *                          │    ▲
 *       the window dropped │    │ it has read the critical
 *       what it missed     ▼    │ records up to `until`
 *                        resyncing
 *
 * - `live`: the hub delivers them.
 * - `behind`: it reads on from `read`, in the window, until it has caught up.
 * - `resyncing`: it reads only the critical records, up to `until`; then it is behind from there.
 */
export type Reading =
  | { readonly name: 'live' }
  | { readonly name: 'behind'; readonly read: Position }
  | { readonly name: 'resyncing'; readonly read: Position; readonly until: Position };

/** Shared by all streams that are live: most are, most of the time. */
export const LIVE: Reading = { name: 'live' };

/** Where a stream reads that is not live: the window, up to the last record that was handed over. */
export interface History {
  readonly window: Pick<Window, 'covers' | 'coversCriticals' | 'hasAllCriticals' | 'criticalFloor' | 'after'>;
  readonly head: Position;
}

/** Records that one piece of reading looks at, for each that may wait: most are merged, or of other types. */
const LOOKED_AT = 16;

/** Drops what waits and keeps the position: the stream reads it in the window. */
export function fallBehind(queue: WriteQueue): Reading {
  queue.clear();
  return { name: 'behind', read: queue.position };
}

/**
 * What was missed up to the head cannot be replayed: of it, only the critical records are read. `isComplete`: whether all
 * of those are held.
 */
export function readCriticals(
  queue: WriteQueue,
  { window, head }: History,
  audiences: readonly AudienceKey[],
): { readonly reading: Reading; readonly isComplete: boolean } {
  const { offset } = queue.position;
  const isComplete = window.hasAllCriticals(offset, audiences);
  queue.clear();
  if (!window.coversCriticals(offset, audiences)) queue.moveTo(window.criticalFloor(audiences));
  return { reading: { name: 'resyncing', read: queue.position, until: head }, isComplete };
}

/**
 * Reads a piece of what a stream missed, as much as its queue takes. Call it only while nothing waits. `gap`: the window
 * no longer holds some of it.
 */
export function readOn(
  reading: Exclude<Reading, { name: 'live' }>,
  queue: WriteQueue,
  { window, head }: History,
  audiences: readonly AudienceKey[],
  client: { wants(frame: LoggedFrame): boolean },
): Reading | 'gap' {
  const isResyncing = reading.name === 'resyncing';
  const end = isResyncing ? reading.until : head;
  let { read } = reading;
  const isHeld = isResyncing
    ? window.coversCriticals(read.offset, audiences)
    : window.covers(read.offset, audiences);
  if (!isHeld) return 'gap';
  let looks = queue.limits.messages * LOOKED_AT;
  for (const frame of window.after(read.offset, audiences, isResyncing ? 'critical' : undefined)) {
    if (frame.offset > end.offset) break;
    if (looks-- === 0 || (client.wants(frame) && queue.enqueue(frame) === 'full')) {
      queue.thenMoveTo(read, false);
      return { ...reading, read };
    }
    read = frame.position;
  }
  // The client of a stream that resynced learns where the gap ends, so that it does not come back from before it.
  queue.thenMoveTo(end, isResyncing);
  return isResyncing ? { name: 'behind', read: end } : LIVE;
}
