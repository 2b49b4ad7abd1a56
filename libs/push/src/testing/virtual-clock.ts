import type { Clock } from '../clock.js';

/** A clock that moves when it is told to: what is due is called then, in order, before `advance` returns. */
export class VirtualClock implements Clock {
  #elapsed = 0;
  /** What the wall's time is ahead of the time that has passed. */
  #wall: number;
  readonly #timers = new Set<{ readonly at: number; readonly call: () => void }>();

  /** `now`: milliseconds since 1970. */
  constructor(now = 0) {
    this.#wall = now;
  }

  now(): number {
    return this.#wall + this.#elapsed;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.#elapsed + milliseconds, call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Sets the wall's time forward, or back by a negative number, as an operator or NTP does: no time passes. */
  stepWall(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** Calls what is due in that time, in order, all in this turn of the event loop. */
  advance(milliseconds: number): void {
    const until = this.#elapsed + milliseconds;
    while (this.#callNext(until));
    this.#elapsed = until;
  }

  /** The same, and lets promises and sockets go on after each call, so that what they ask for in that time is called too. */
  async advanceAsync(milliseconds: number): Promise<void> {
    const until = this.#elapsed + milliseconds;
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#callNext(until));
    this.#elapsed = until;
  }

  #callNext(until: number): boolean {
    let next: { readonly at: number; readonly call: () => void } | undefined;
    for (const timer of this.#timers)
      if (timer.at <= until && timer.at < (next?.at ?? Infinity)) next = timer;
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#elapsed = next.at;
    next.call();
    return true;
  }
}
