/**
 * What runs at the end of a turn of the event loop. A stream flushes once for all that it got in a turn. Streams that are
 * behind read on a few at a time, after the flushes, so that live ones do not wait for them.
 */

/** Something with bytes to write. */
export interface Flushable {
  flush(): void;
}

/**
 * Flushes at the end of this turn. One immediate for all streams: for a message to everyone, one immediate each would
 * cost more than the writing.
 */
export class FlushScheduler {
  #waiting: Flushable[] = [];

  add(flushable: Flushable): void {
    if (this.#waiting.push(flushable) === 1) setImmediate(() => this.#flushAll());
  }

  #flushAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one.flush();
  }
}

/** A stream that reads on from the window, a piece at a time. */
export interface Reader {
  /** Reads a piece and writes it to the socket. Returns whether it could go on at once. */
  readOn(): boolean;
}

/** Streams that read on in one turn. A piece takes some tens of microseconds. */
const PIECES_A_TURN = 32;

/**
 * Lets streams that are behind catch up, a few pieces in each turn, so that nobody else waits, however many streams
 * missed how much. A stream that waits costs an entry in a set.
 */
export class CatchUpScheduler {
  readonly #waiting = new Set<Reader>();
  #isScheduled = false;

  get size(): number {
    return this.#waiting.size;
  }

  add(reader: Reader): void {
    this.#waiting.add(reader);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.size === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#readOn();
    });
  }

  #readOn(): void {
    for (const reader of this.#waiting.values().take(PIECES_A_TURN).toArray()) {
      this.#waiting.delete(reader);
      // Behind all that wait: the next piece is another stream's.
      if (reader.readOn()) this.#waiting.add(reader);
    }
    this.#schedule();
  }
}
