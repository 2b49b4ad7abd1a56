import { randomBytes } from 'node:crypto';
import type { Cursor, LogRecord, MessageLog, StampedMessage } from '../log.js';

/**
 * The log of one process. Cursors are `EPOCH-N`; the epoch is new at every start, so a cursor of a former process
 * is unknown rather than wrong. Holds only records that the follower has not taken yet.
 */
export class MemoryMessageLog implements MessageLog {
  readonly #epoch = randomBytes(6).toString('base64url');
  #last = 0;
  #waiting: LogRecord[] = [];
  #handle: ((record: LogRecord) => void | Promise<void>) | undefined;
  #pump: Promise<void> | undefined;

  async append(message: StampedMessage): Promise<Cursor> {
    const cursor = this.#cursor(++this.#last);
    this.#waiting.push({ ...message, cursor });
    this.#run();
    return cursor;
  }

  async head(): Promise<Cursor> {
    return this.#cursor(this.#last - this.#waiting.length);
  }

  follow(handle: (record: LogRecord) => void | Promise<void>): void {
    this.#handle = handle;
    this.#run();
  }

  async close(): Promise<void> {
    await this.#pump;
    this.#handle = undefined;
  }

  #cursor(sequence: number): Cursor {
    return `${this.#epoch}-${sequence}`;
  }

  #run(): void {
    if (this.#handle === undefined || this.#pump !== undefined) return;
    this.#pump = this.#drain(this.#handle).finally(() => {
      this.#pump = undefined;
      if (this.#waiting.length > 0) this.#run();
    });
  }

  async #drain(handle: (record: LogRecord) => void | Promise<void>): Promise<void> {
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      for (const record of batch) {
        const handled = handle(record);
        if (handled !== undefined) await handled;
      }
    }
  }

  #take(): LogRecord[] {
    const batch = this.#waiting;
    this.#waiting = [];
    return batch;
  }
}
