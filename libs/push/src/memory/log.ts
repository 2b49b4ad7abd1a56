import { randomBytes } from 'node:crypto';
import { systemClock, type Clock } from '../clock.js';
import { withDeadline } from '../deadline.js';
import type { Journal, JournalEntry } from '../journal.js';
import type {
  Cursor,
  Follower,
  Lag,
  LogRecord,
  LogStart,
  MessageLog,
  Offset,
  Position,
  StampedMessage,
} from '../log.js';

/** Of any log: one that replicas share has larger numbers. */
const CURSOR = /^([\w-]{8})\.(\d{1,19})-(\d{1,19})$/;
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
  #follower: Follower | undefined;
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
      return { head, records: [], beginning: head, floor: head, criticalFloor: head };
    }
    const opened = this.#journal.open();
    this.#holdUp(opened);
    const { log, generation, floor, entries } = await opened;
    this.#name = log;
    this.#generation = generation;
    const own = entries
      .flatMap((entry) => this.#restore(entry))
      .sort((a, b) => (a.offset < b.offset ? -1 : 1));
    const records = [...own, ...entries.flatMap((entry) => this.#adopt(entry))];
    for (const { recordId, message, cursor } of entries)
      if (cursor === undefined) void this.append({ ...message, recordIds: [recordId] });
    const first: Position = { cursor: `${log}.0-0`, offset: 0n };
    const floorOffset = floor === undefined ? undefined : this.locate(floor);
    const head = this.#position(this.#last);
    return {
      head,
      records,
      // Only critical messages outlive the process.
      beginning: head,
      floor: head,
      criticalFloor:
        floor === undefined || typeof floorOffset !== 'bigint'
          ? first
          : { cursor: floor, offset: floorOffset },
    };
  }

  locate(cursor: Cursor): Offset | 'lost' | 'unknown' {
    const parts = CURSOR.exec(cursor);
    if (parts === null) return 'unknown';
    if (parts[1] !== this.#name) return 'lost';
    const sequence = BigInt(parts[3] ?? 0);
    return sequence >> GENERATION_BITS > 0n
      ? 'unknown'
      : (BigInt(parts[2] ?? 0) << GENERATION_BITS) | sequence;
  }

  async newest(): Promise<Offset> {
    return this.#position(this.#last).offset;
  }

  follow(follower: Follower): void {
    this.#follower = follower;
    this.#run();
  }

  get lag(): Lag {
    const [oldest] = this.#waiting;
    const since = oldest?.appendedAt ?? this.#clock.elapsed();
    return { records: this.#waiting.length, seconds: (this.#clock.elapsed() - since) / 1000 };
  }

  async close(): Promise<void> {
    await this.#before;
    await this.#pump;
    this.#follower = undefined;
  }

  #mustBeNoted({ delivery, recordIds = [] }: StampedMessage): boolean {
    return delivery === 'critical' && recordIds.length > 0 && this.#journal !== undefined;
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

  async #note({ recordIds = [], cursor, offset }: LogRecord): Promise<void> {
    const noting = recordIds.map((id) => this.#journal?.recordPosition(id, { cursor, offset }));
    try {
      await withDeadline(this.#clock, NOTE_MS, 'the journal', Promise.all(noting));
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

  #restore({ recordId, message, cursor, publishedAt }: JournalEntry): LogRecord[] {
    if (cursor === undefined) return [];
    const offset = this.locate(cursor);
    return typeof offset === 'bigint'
      ? [{ ...message, recordIds: [recordId], cursor, offset, publishedAt }]
      : [];
  }

  /**
   * A message that was in another log: clients know it by the cursor that it had there. It comes after this log's own, so
   * that a client whose cursor names one of those gets it.
   */
  #adopt({ recordId, message, cursor, publishedAt }: JournalEntry): LogRecord[] {
    if (cursor === undefined || typeof this.locate(cursor) === 'bigint') return [];
    return [{ ...message, recordIds: [recordId], ...this.#position(++this.#last), id: cursor, publishedAt }];
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
    if (this.#follower === undefined || this.#pump !== undefined) return;
    this.#pump = this.#handOnAll(this.#follower).finally(() => {
      this.#pump = undefined;
      if (this.#waiting.length > 0) this.#run();
    });
  }

  async #handOnAll(follower: Follower): Promise<void> {
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      for (const record of batch) {
        const handled = follower.record(record);
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
