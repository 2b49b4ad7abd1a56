/** A stream that reads on from the window, a piece at a time. */
export interface Reader {
  /** Reads a piece and hands it to the socket; whether it could go on at once. */
  readOn(): boolean;
}

/** Streams that read in one turn of the event loop. A piece takes some tens of microseconds. */
const PIECES_A_TURN = 32;

/**
 * Lets streams that are behind catch up in turn, a few pieces in each turn of the event loop: whatever is missed by
 * however many, nobody else waits for it. One that waits for its turn costs a place in a set.
 */
export class CatchUp {
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
      this.#turn();
    });
  }

  #turn(): void {
    for (const reader of this.#waiting.values().take(PIECES_A_TURN).toArray()) {
      this.#waiting.delete(reader);
      // Behind all who wait: the next piece is for somebody else.
      if (reader.readOn()) this.#waiting.add(reader);
    }
    this.#schedule();
  }
}
