import type { Clock } from './clock.js';
import { withDeadline } from './deadline.js';

export interface LoopOptions {
  /** Names it in the metric of its age, in an error's sentence and in the log: the field's noun, such as `housekeeping`. */
  readonly name: string;
  readonly intervalMs: number;
  /** What one round may take. A round that takes longer is given up, and the loop goes on without it. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** Hears of each round that failed or was given up. */
  readonly onError: (error: unknown, doing: string) => void;
}

/**
 * One piece of periodic work. Rounds begin an interval apart, the first after one interval; none begins before the one
 * before it has ended or was given up, and none that hangs or fails stops the next.
 */
export class Loop {
  readonly name: string;
  #cancel: () => void = () => undefined;
  #round = new AbortController();
  #isRunning = false;
  #lastDone: number;

  /** `round`: its signal aborts when it was given up or the loop stops, for what should not go on then. */
  constructor(
    private readonly options: LoopOptions,
    private readonly round: (signal: AbortSignal) => void | Promise<void>,
  ) {
    this.name = options.name;
    this.#lastDone = options.clock.elapsed();
  }

  /** Seconds since a round was last completed, or since the start if none was. Without error, it stays near the interval. */
  get age(): number {
    return (this.options.clock.elapsed() - this.#lastDone) / 1000;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#round = new AbortController();
    this.#lastDone = this.options.clock.elapsed();
    this.#wait(this.#lastDone + this.options.intervalMs);
  }

  stop(): void {
    this.#isRunning = false;
    this.#cancel();
    this.#round.abort();
  }

  #wait(due: number): void {
    if (!this.#isRunning) return;
    const { clock } = this.options;
    this.#cancel = clock.after(Math.max(0, due - clock.elapsed()), () => this.#begin(due));
  }

  #begin(due: number): void {
    const { clock, name, deadlineMs } = this.options;
    const begun = clock.elapsed();
    const round = new AbortController();
    this.#round = round;
    let work;
    try {
      work = this.round(round.signal);
    } catch (error) {
      this.#fail(error);
      return this.#next(due, begun);
    }
    if (work === undefined) {
      this.#lastDone = clock.elapsed();
      return this.#next(due, begun);
    }
    withDeadline(clock, deadlineMs, `a round of ${name}`, work)
      .then(
        () => {
          this.#lastDone = clock.elapsed();
        },
        (error: unknown) => this.#fail(error),
      )
      .finally(() => {
        // Else the loop was stopped and begun anew meanwhile.
        if (this.#round === round) this.#next(due, begun);
      });
  }

  #fail(error: unknown): void {
    this.#round.abort(error);
    if (this.#isRunning) this.options.onError(error, `running ${this.name}`);
  }

  /** From when it was due, not from now: a busy process does not stretch the interval. */
  #next(due: number, begun: number): void {
    const { clock, intervalMs } = this.options;
    const now = clock.elapsed();
    // A round that takes an interval or more must not be followed by the next at once.
    this.#wait(now - begun >= intervalMs ? now + intervalMs : Math.max(due + intervalMs, begun));
  }
}
