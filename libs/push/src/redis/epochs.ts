import type { Cursor, Offset, Position } from '../log.js';
import { cursorOf } from './entry.js';
import { entryNumber, FIRST, isBefore, offsetOf, type EntryId } from './entry-id.js';

const CURSOR = /^([\w-]{8})\.(\d{1,19}-\d{1,19})$/;
/** In cursors of positions before this process' first epoch: where critical messages of logs that are lost stand. */
const EARLIER = '--------';

/**
 * The epochs of the log that this process has read, in order. Each has a generation, so that offsets grow, whatever the
 * clocks of the servers say.
 */
export class Epochs {
  #generation = 0;
  #current = EARLIER;
  #beginning: EntryId = FIRST;

  get current(): string {
    return this.#current;
  }

  /** The log has another epoch from now on, and this process reads it from behind `beginning`. */
  begin(epoch: string, beginning: EntryId): void {
    this.#generation += 1;
    this.#current = epoch;
    this.#beginning = beginning;
  }

  /** A position in the current epoch. */
  at(id: EntryId): Position {
    return { cursor: cursorOf(this.#current, id), offset: offsetOf(this.#generation, id) };
  }

  /** A position before all epochs that this process has read. */
  earlier(id: EntryId): Position {
    return { cursor: cursorOf(EARLIER, id), offset: offsetOf(0, id) };
  }

  /**
   * Only what is behind the beginning stands in the same order on all replicas. Critical messages from before it stand where
   * each replica read them first; who was reading those elsewhere may have had any of them.
   */
  locate(cursor: Cursor): Offset | 'lost' | 'unknown' {
    const [, epoch, id] = CURSOR.exec(cursor) ?? [];
    if (epoch === undefined || id === undefined || entryNumber(id) === undefined) return 'unknown';
    if (epoch === EARLIER) return offsetOf(0, id);
    return epoch === this.#current && !isBefore(id, this.#beginning) ? this.at(id).offset : 'lost';
  }
}
