import type { Clock } from './clock.js';
import { withDeadline } from './deadline.js';

export interface LoopOptions {
  /** Names it in the metric of its age, in errors and in the log. */
  readonly name: string;
  readonly intervalMs: number;
  /** How long one round may take. A longer one is abandoned, and the loop goes on without it. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** Hears of each round that failed or was abandoned. */
  readonly onError: (error: unknown, doing: string) => void;
}

/**
 * One piece of periodic work. Rounds begin an interval apart, the first after one interval. A round begins only when the
 * last one has ended or was abandoned, and one that hangs or fails does not stop the next.
 */
export class Loop {
  readonly name: string;
  #cancel: () => void = () => undefined;
  #round = new AbortController();
  #isRunning = false;
  #lastDone: number;

  /** `round` gets a signal that aborts when the round is abandoned or the loop stops. */
  constructor(
    private readonly options: LoopOptions,
    private readonly round: (signal: AbortSignal) => void | Promise<void>,
  ) {
    this.name = options.name;
    this.#lastDone = options.clock.elapsed();
  }

  /** Seconds since a round was last completed, or since the start if none was. It stays near the interval unless rounds fail. */
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
        // If not, the loop was stopped and started again meanwhile.
        if (this.#round === round) this.#next(due, begun);
      });
  }

  #fail(error: unknown): void {
    this.#round.abort(error);
    if (this.#isRunning) this.options.onError(error, `running ${this.name}`);
  }

  /** Counts from when this round was due, so that a busy process does not stretch the interval. */
  #next(due: number, begun: number): void {
    const { clock, intervalMs } = this.options;
    const now = clock.elapsed();
    // A round that takes an interval or more must not be followed by the next at once.
    this.#wait(now - begun >= intervalMs ? now + intervalMs : Math.max(due + intervalMs, begun));
  }
}
