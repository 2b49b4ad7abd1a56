import type { Cursor, Offset, Position } from '../log.js';
import { cursorOf } from './entry.js';
import { entryNumber, offsetOf, type EntryId } from './entry-id.js';

const CURSOR = /^([\w-]{8})\.(\d{1,19}-\d{1,19})$/;
/** In cursors of positions before this process' first epoch: where critical messages of logs that are lost stand. */
const EARLIER = '--------';
/** Epochs that are remembered. */
const REMEMBERED = 16;

/**
 * The epochs of the log that this process has read, in order. Each has a generation, so that offsets grow, whatever the
 * clocks of the servers say.
 */
export class Epochs {
  readonly #generations = new Map<string, number>([[EARLIER, 0]]);
  #generation = 0;
  #current = EARLIER;

  get current(): string {
    return this.#current;
  }

  /** The log has another epoch from now on. */
  begin(epoch: string): void {
    this.#generation += 1;
    this.#current = epoch;
    this.#generations.set(epoch, this.#generation);
    const [, oldest] = this.#generations.keys();
    if (this.#generations.size > REMEMBERED && oldest !== undefined) this.#generations.delete(oldest);
  }

  /** A position in the current epoch. */
  at(id: EntryId): Position {
    return { cursor: cursorOf(this.#current, id), offset: offsetOf(this.#generation, id) };
  }

  /** A position before all epochs that this process has read. */
  earlier(id: EntryId): Position {
    return { cursor: cursorOf(EARLIER, id), offset: offsetOf(0, id) };
  }

  locate(cursor: Cursor): Offset | 'lost' | 'unknown' {
    const [, epoch, id] = CURSOR.exec(cursor) ?? [];
    if (epoch === undefined || id === undefined || entryNumber(id) === undefined) return 'unknown';
    const generation = this.#generations.get(epoch);
    return generation === undefined ? 'lost' : offsetOf(generation, id);
  }
}
