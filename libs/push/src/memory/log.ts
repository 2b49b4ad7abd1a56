import { randomBytes } from 'node:crypto';
import { systemClock, type Clock } from '../clock.js';
import { withDeadline } from '../deadline.js';
import type { Journal, JournalEntry } from '../journal.js';
import type { Cursor, LogRecord, LogStart, MessageLog, Offset, Position, StampedMessage } from '../log.js';

const CURSOR = /^([\w-]{8})\.(\d{1,9})-(\d{1,15})$/;
const GENERATION_BITS = 50n;
/** How long a message waits until its cursor is noted, milliseconds. Without the note, a restart may repeat it with another id. */
const NOTE_MS = 2000;

export interface MemoryMessageLogOptions {
  /** Where critical messages survive this process. Without it, a restart loses what was not delivered. */
  readonly journal?: Journal | undefined;
  readonly clock?: Clock;
  readonly onError?: (error: unknown, doing: string) => void;
}

/**
 * The log of one process. Cursors are `LOG.GENERATION-N`: with a journal, the log keeps its name and begins a new
 * generation at every start; without one it has a new name each time. Holds only records that the follower has not
 * taken yet.
 */
export class MemoryMessageLog implements MessageLog {
  readonly #journal: Journal | undefined;
  readonly #clock: Clock;
  readonly #onError: (error: unknown, doing: string) => void;
  #name = randomBytes(6).toString('base64url');
  #generation = 1;
  #last = 0;
  #waiting: LogRecord[] = [];
  #handle: ((record: LogRecord) => void | Promise<void>) | undefined;
  #pump: Promise<void> | undefined;
  /** Set while messages wait for something that must come first: the journal's opening, a cursor being noted. */
  #before: Promise<void> | undefined;

  constructor({ journal, clock = systemClock, onError = () => undefined }: MemoryMessageLogOptions = {}) {
    this.#journal = journal;
    this.#clock = clock;
    this.#onError = onError;
  }

  append(message: StampedMessage): Promise<Cursor> {
    if (this.#before === undefined && !this.#mustBeNoted(message)) {
      return Promise.resolve(this.#enqueue(this.#record(message)));
    }
    const appended = (this.#before ?? Promise.resolve()).then(async () => {
      const record = this.#record(message);
      if (this.#mustBeNoted(message)) await this.#note(record);
      return this.#enqueue(record);
    });
    this.#holdUp(appended);
    return appended;
  }

  async open(): Promise<LogStart> {
    if (this.#journal === undefined) {
      const head = this.#position(this.#last - this.#waiting.length);
      return { head, criticals: [], criticalFloor: head };
    }
    const opened = this.#journal.open();
    this.#holdUp(opened);
    const { log, generation, floor, entries } = await opened;
    this.#name = log;
    this.#generation = generation;
    const criticals = entries
      .flatMap((entry) => this.#restore(entry))
      .sort((a, b) => (a.offset < b.offset ? -1 : 1));
    for (const { message, cursor } of entries) if (cursor === undefined) void this.append(message);
    const beginning: Position = { cursor: `${log}.0-0`, offset: 0n };
    const floorOffset = floor === undefined ? undefined : this.locate(floor);
    return {
      head: this.#position(0),
      criticals,
      criticalFloor:
        floor === undefined || typeof floorOffset !== 'bigint'
          ? beginning
          : { cursor: floor, offset: floorOffset },
    };
  }

  locate(cursor: Cursor): Offset | 'lost' | 'unknown' {
    const parts = CURSOR.exec(cursor);
    if (parts === null) return 'unknown';
    if (parts[1] !== this.#name) return 'lost';
    return (BigInt(parts[2] ?? 0) << GENERATION_BITS) | BigInt(parts[3] ?? 0);
  }

  follow(handle: (record: LogRecord) => void | Promise<void>): void {
    this.#handle = handle;
    this.#run();
  }

  async close(): Promise<void> {
    await this.#before;
    await this.#pump;
    this.#handle = undefined;
  }

  #mustBeNoted({ recordId }: StampedMessage): boolean {
    return recordId !== undefined && this.#journal !== undefined;
  }

  /** Everything that is appended from now on waits for it, so that the order stays. */
  #holdUp(first: Promise<unknown>): void {
    const before = first.then(
      () => undefined,
      () => undefined,
    );
    this.#before = before;
    void before.then(() => {
      if (this.#before === before) this.#before = undefined;
    });
  }

  async #note({ recordId, cursor, offset }: LogRecord): Promise<void> {
    const noting = this.#journal?.recordPosition(recordId ?? '', { cursor, offset });
    try {
      if (noting !== undefined) await withDeadline(this.#clock, NOTE_MS, 'the journal', noting);
    } catch (error) {
      this.#onError(
        error,
        'noting the cursor of a critical message; a restart may repeat it with another id',
      );
    }
  }

  #record(message: StampedMessage): LogRecord {
    return {
      ...message,
      ...this.#position(++this.#last),
      publishedAt: this.#clock.now(),
      appendedAt: this.#clock.elapsed(),
    };
  }

  #restore({ message, cursor, publishedAt }: JournalEntry): LogRecord[] {
    if (cursor === undefined) return [];
    const offset = this.locate(cursor);
    return typeof offset === 'bigint' ? [{ ...message, cursor, offset, publishedAt }] : [];
  }

  #enqueue(record: LogRecord): Cursor {
    this.#waiting.push(record);
    this.#run();
    return record.cursor;
  }

  #position(sequence: number): Position {
    return {
      cursor: `${this.#name}.${this.#generation}-${sequence}`,
      offset: (BigInt(this.#generation) << GENERATION_BITS) | BigInt(sequence),
    };
  }

  #run(): void {
    if (this.#handle === undefined || this.#pump !== undefined) return;
    this.#pump = this.#handleAll(this.#handle).finally(() => {
      this.#pump = undefined;
      if (this.#waiting.length > 0) this.#run();
    });
  }

  async #handleAll(handle: (record: LogRecord) => void | Promise<void>): Promise<void> {
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
