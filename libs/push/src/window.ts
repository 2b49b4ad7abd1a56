import type { Cursor, LogRecord } from './log.js';

/**
 * What this replica remembers of the log: the last `capacity` records, in order.
 * `head` is the last record that was handed to the hub, or where reading began.
 */
export class Window {
  readonly #records: (LogRecord | undefined)[];
  /** For each cursor that can be asked about, how many records came up to and with it. */
  readonly #places = new Map<Cursor, number>();
  #count = 0;
  #head: Cursor;

  constructor(
    readonly capacity: number,
    start: Cursor,
  ) {
    this.#records = new Array<LogRecord | undefined>(capacity);
    this.#head = start;
    this.#places.set(start, 0);
  }

  get head(): Cursor {
    return this.#head;
  }

  push(record: LogRecord): void {
    this.#records[this.#count % this.capacity] = record;
    this.#count += 1;
    this.#head = record.cursor;
    this.#places.set(record.cursor, this.#count);
    // The cursor before the oldest record that is kept can still be asked about; the one before that cannot.
    this.#forgetPlace(this.#count - this.capacity - 1);
  }

  /** The records after `cursor`, oldest first; undefined if some of them are no longer held, or it is unknown. */
  since(cursor: Cursor): readonly LogRecord[] | undefined {
    const place = this.#places.get(cursor);
    if (place === undefined) return undefined;
    const records: LogRecord[] = [];
    for (let index = place; index < this.#count; index += 1) {
      const record = this.#records[index % this.capacity];
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  #forgetPlace(place: number): void {
    // A Map iterates in insertion order, which is the order of places: the first is the oldest.
    for (const [cursor, at] of this.#places) {
      if (at > place) break;
      this.#places.delete(cursor);
    }
  }
}
