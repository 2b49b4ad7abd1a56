import type { Appended } from './entry.js';
import type { AppendOutcome } from './log-store.js';

/** The most messages, and about the most characters, of one script: Redis does nothing else while it runs. */
const MOST_MESSAGES = 128;
const MOST_CHARACTERS = 256 * 1024;

interface Waiting {
  readonly message: Appended;
  readonly resolve: (outcome: AppendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers what is appended in one turn of the event loop, or while an earlier script runs, into one script. When a script
 * fails, what waits behind it fails with it, so that no message is appended whose earlier one of the same turn was not.
 */
export class AppendQueue {
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(
    private readonly append: (messages: readonly Appended[]) => Promise<readonly AppendOutcome[]>,
  ) {}

  /** @throws what the script throws that has the message, or one before it */
  add(message: Appended): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject });
      if (this.#isRunning) return;
      this.#isRunning = true;
      queueMicrotask(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, fitting(this.#waiting));
      try {
        const outcomes = await this.append(batch.map(({ message }) => message));
        for (const [index, { resolve, reject }] of batch.entries()) {
          const outcome = outcomes[index];
          if (outcome === undefined) reject(new Error('Redis answered for fewer messages than it was sent'));
          else resolve(outcome);
        }
      } catch (error) {
        for (const { reject } of [...batch, ...this.#waiting.splice(0)]) reject(error);
      }
    }
    this.#isRunning = false;
  }
}

/** How many of the first go into one script: at least one. */
function fitting(waiting: readonly Waiting[]): number {
  let characters = 0;
  const end = waiting.findIndex(({ message }, index) => {
    characters += message.data.length;
    return index === MOST_MESSAGES || (index > 0 && characters > MOST_CHARACTERS);
  });
  return end === -1 ? waiting.length : end;
}
