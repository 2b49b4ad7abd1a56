import type { ControlMessageOf } from '@crossfade/protocol';
import type { AudienceKey } from './audience.js';
import type { Cursor, MessageLog, Position } from './log.js';
import type { Window } from './window.js';

export type ResyncReason = ControlMessageOf<'Resync'>['reason'];

/** Where a stream begins, as `Connected` says it. */
export type Start =
  /** At the head: it brought no cursor. */
  | { readonly resumed: 'fresh'; readonly position: Position }
  /** Where its cursor left off: the window holds all that it missed. */
  | { readonly resumed: 'resumed'; readonly position: Position }
  /** What it missed cannot be replayed. It gets `Resync`, and the critical messages that are held after `position`. */
  | {
      readonly resumed: 'gap';
      readonly reason: ResyncReason;
      readonly position: Position;
      /** Whether `position` is what the client had. If not, nobody can say that the critical messages are all. */
      readonly isKnown: boolean;
    };

/** Decides whether a cursor resumes. Pure. */
export function resume(
  cursor: Cursor | undefined,
  audiences: readonly AudienceKey[],
  { log, window, head }: { log: Pick<MessageLog, 'locate'>; window: Window; head: Position },
): Start {
  if (cursor === undefined) return { resumed: 'fresh', position: head };
  const offset = log.locate(cursor);
  if (typeof offset !== 'bigint' || offset > window.head.offset) {
    // Nobody knows what it missed, so it gets all critical messages that are held.
    const reason = offset === 'lost' ? 'log_lost' : 'unknown_cursor';
    return { resumed: 'gap', reason, position: window.criticalFloor(audiences), isKnown: false };
  }
  const position = { cursor, offset };
  if (window.covers(offset, audiences)) return { resumed: 'resumed', position };
  const reason = offset < window.beginning.offset ? 'log_lost' : 'gap';
  return { resumed: 'gap', reason, position, isKnown: true };
}
