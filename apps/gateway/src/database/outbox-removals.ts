import type { Clock } from '@crossfade/push';
import { readRecordId } from './outbox-rows.js';

/** How long removals are gathered, and when they are tried again after a failure, milliseconds. */
const GATHER_MS = 100;
const RETRY_MS = 1000;
/** Rows that one statement removes. */
const BATCH = 500;
/** Rows that wait to be removed. Further ones stay for the relay, whose messages the log drops as doubles. */
const MOST_WAITING = 10_000;
/** Rows some of whose messages are in the log. The oldest is forgotten, and stays for the relay likewise. */
const MOST_PARTIAL = 1000;

/** Gathers the rows whose messages are all in the log, and removes them in batches. */
export class Removals {
  /** Which messages of a row are in the log, until all are. */
  readonly #partial = new Map<string, Set<number>>();
  readonly #waiting = new Set<string>();
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #hasFailed = false;

  /** `removeRows` has a deadline of its own. */
  constructor(
    private readonly removeRows: (rowIds: readonly string[]) => Promise<void>,
    private readonly clock: Clock,
    private readonly onError: (error: unknown, doing: string) => void,
  ) {}

  /** The log has this message. */
  add(recordId: string): void {
    const { rowId, index, count } = readRecordId(recordId);
    if (count > 1 && !this.#isComplete(rowId, index, count)) return;
    if (this.#waiting.size >= MOST_WAITING) return;
    this.#waiting.add(rowId);
    if (this.#waiting.size >= BATCH && !this.#hasFailed) this.#run();
    else this.#runIn(GATHER_MS);
  }

  /** Whether the log has all of this row, and only its removal is under way. */
  has(rowId: string): boolean {
    return this.#waiting.has(rowId);
  }

  /** Tries once to remove what waits; what fails stays for the relay. */
  async close(): Promise<void> {
    await this.#running;
    this.#run();
    await this.#running;
    this.#cancel?.();
  }

  #isComplete(rowId: string, index: number, count: number): boolean {
    const there = this.#partial.get(rowId) ?? new Set<number>();
    there.add(index);
    if (there.size === count) {
      this.#partial.delete(rowId);
      return true;
    }
    this.#partial.set(rowId, there);
    const [oldest] = this.#partial.keys();
    if (this.#partial.size > MOST_PARTIAL && oldest !== undefined) this.#partial.delete(oldest);
    return false;
  }

  #runIn(milliseconds: number): void {
    if (this.#running !== undefined) return;
    this.#cancel ??= this.clock.after(milliseconds, () => this.#run());
  }

  #run(): void {
    if (this.#running !== undefined) return;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#running = this.#removeAll().then((retryMs) => {
      this.#running = undefined;
      if (this.#waiting.size > 0) this.#runIn(retryMs);
    });
  }

  /** @returns how long to wait with what is left */
  async #removeAll(): Promise<number> {
    try {
      do {
        const batch = [...this.#waiting].slice(0, BATCH);
        await this.removeRows(batch);
        for (const rowId of batch) this.#waiting.delete(rowId);
      } while (this.#waiting.size >= BATCH);
      this.#hasFailed = false;
      return GATHER_MS;
    } catch (error) {
      this.#hasFailed = true;
      this.onError(error, 'removing messages from the outbox that the log has');
      return RETRY_MS;
    }
  }
}
