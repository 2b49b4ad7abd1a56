import type { Clock } from './clock.js';
import { withDeadline } from './deadline.js';

/** How long a record waits for an answer, milliseconds. Everything behind it in the log waits as well. */
const ANSWER_MS = 2000;
/**
 * After an answer that did not come, nothing waits for so long. Otherwise each record would hold the log up, one after the
 * other.
 */
const PAUSE_MS = 10_000;

/** What the log waits for: a port whose answer decides what a record does or what it is called. */
export class Patience {
  #unansweredAt = -Infinity;

  constructor(
    private readonly clock: Clock,
    /** The port, as in "the authenticator". */
    private readonly what: string,
  ) {}

  /** Whether the last answer did not come, so that nobody should wait for the next one yet. */
  get isOver(): boolean {
    return this.clock.elapsed() - this.#unansweredAt < PAUSE_MS;
  }

  /** @throws DeadlineError after 2 seconds; what the port throws */
  async wait<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await withDeadline(this.clock, ANSWER_MS, this.what, ask());
    } catch (error) {
      this.#unansweredAt = this.clock.elapsed();
      throw error;
    }
  }
}
