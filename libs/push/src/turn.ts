/** Something with bytes to write. */
export interface Flushable {
  flush(): void;
}

/**
 * What is to be written at the end of this turn of the event loop. One immediate for all of them: at a message for
 * everyone, one for each would cost more than their writing.
 */
export class Turn {
  #waiting: Flushable[] = [];

  add(flushable: Flushable): void {
    if (this.#waiting.push(flushable) === 1) setImmediate(() => this.#end());
  }

  #end(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one.flush();
  }
}
