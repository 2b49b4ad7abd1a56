import type { Clock } from '../clock.js';

/** A clock that moves when it is told to: what is due is called then, in order, before `advance` returns. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ readonly at: number; readonly call: () => void }>();

  /** `now`: milliseconds since 1970. */
  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.#now + milliseconds, call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Calls what is due in that time, in order, all in this turn of the event loop. */
  advance(milliseconds: number): void {
    const until = this.#now + milliseconds;
    while (this.#callNext(until));
    this.#now = until;
  }

  /** The same, and lets promises and sockets go on after each call, so that what they ask for in that time is called too. */
  async advanceAsync(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds;
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#callNext(until));
    this.#now = until;
  }

  #callNext(until: number): boolean {
    let next: { readonly at: number; readonly call: () => void } | undefined;
    for (const timer of this.#timers)
      if (timer.at <= until && timer.at < (next?.at ?? Infinity)) next = timer;
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#now = next.at;
    next.call();
    return true;
  }
}
