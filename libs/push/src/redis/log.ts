import { randomBytes } from 'node:crypto';
import { pause, systemClock, type Clock } from '../clock.js';
import { withDeadline } from '../deadline.js';
import type { SharedJournal } from '../journal.js';
import type {
  Cursor,
  Follower,
  Lag,
  LogRecord,
  LogStart,
  MessageLog,
  Offset,
  StampedMessage,
} from '../log.js';
import { AppendQueue } from './append-queue.js';
import type { RedisConnection } from './connection.js';
import { CriticalIds } from './critical-ids.js';
import { cursorOf, recordOf, type Appended, type Entry } from './entry.js';
import { FIRST, isBefore, later, offsetOf } from './entry-id.js';
import { Epochs } from './epochs.js';
import { LogReader } from './log-reader.js';
import { RedisLogStore, type AppendOutcome, type OpenState } from './log-store.js';

export interface RedisMessageLogOptions {
  /** For all but the reads that wait. */
  readonly commands: RedisConnection;
  /** A connection of its own, for reads: each waits about a second for a record. */
  readonly reader: RedisConnection;
  /** Names the installation: `{PREFIX}:log` is the log's key. */
  readonly prefix: string;
  /**
   * Where messages survive until the log has them, and critical ones longer. Without it, critical messages that Redis
   * loses are lost, and clients hear so.
   */
  readonly journal?: SharedJournal | undefined;
  /** Records that Redis retains, of up to 4096 characters; larger ones count as several. Default 10000, as `windowCapacity`. */
  readonly capacity?: number;
  /** Critical records that it retains beside them. Default 1000. */
  readonly criticalCapacity?: number;
  /** And for how long, seconds. Default 86400, a day. */
  readonly criticalRetentionSeconds?: number;
  readonly clock?: Clock;
  readonly onError?: (error: unknown, doing: string) => void;
}

/** How long `close` waits for what this process has appended to be read, and for the journal to note it. */
const CLOSE_MS = 2000;
/** Between two looks at that, milliseconds. */
const LOOK_MS = 10;
/** Messages that refill a log at once. */
const REFILL = 100;

/**
 * The log of all replicas, a stream in Redis. Cursors are `EPOCH.ENTRY-ID`. It knows by itself when Redis has lost records,
 * and says so to its follower as a hole.
 */
export class RedisMessageLog implements MessageLog {
  readonly #store: RedisLogStore;
  readonly #appends: AppendQueue;
  readonly #journal: SharedJournal | undefined;
  readonly #criticalCapacity: number;
  readonly #clock: Clock;
  readonly #onError: (error: unknown, doing: string) => void;
  readonly #process = randomBytes(6).toString('base64url');
  readonly #epochs = new Epochs();
  readonly #reader: LogReader;
  #isFollowed = false;
  readonly #ids: CriticalIds;
  readonly #noting = new Set<Promise<void>>();

  constructor({
    commands,
    reader,
    prefix,
    journal,
    capacity = 10_000,
    criticalCapacity = 1000,
    criticalRetentionSeconds = 86_400,
    clock = systemClock,
    onError,
  }: RedisMessageLogOptions) {
    const criticalRetentionMs = criticalRetentionSeconds * 1000;
    const limits = { capacity, criticalCapacity, criticalRetentionMs };
    this.#store = new RedisLogStore(commands, reader, prefix, limits);
    this.#criticalCapacity = criticalCapacity;
    this.#appends = new AppendQueue((messages) => this.#appendFilled(messages));
    this.#journal = journal;
    this.#clock = clock;
    this.#onError = onError ?? (() => undefined);
    this.#ids = new CriticalIds(journal, clock, this.#onError);
    this.#reader = new LogReader({
      store: this.#store,
      epochs: this.#epochs,
      filled: () => this.#filled(),
      recordsOf: (entries) => this.#ids.of(entries.flatMap((entry) => this.#read(entry))),
      hasJournal: journal !== undefined,
      clock,
      onError: this.#onError,
    });
  }

  async append(message: StampedMessage): Promise<Cursor | undefined> {
    const stamped = { ...message, origin: [this.#process, this.#clock.elapsed()] } as const;
    return this.#appended(stamped, await this.#appends.add(stamped));
  }

  async open(): Promise<LogStart> {
    const state = await this.#filled();
    const { epoch, last, number, since, criticalFloor } = state;
    this.#epochs.begin(epoch, since);
    const entries = await this.#store.range('log', later(state.floor, since), last);
    const criticals = await this.#store.range('criticals', FIRST, last);
    this.#reader.begin({ last, number });
    // The log may have dropped more meanwhile.
    const floor = entries[0]?.prev ?? last;
    const before = criticals.filter(({ id }) => !isBefore(floor, id));
    const records = [
      ...before.flatMap((entry) => this.#read(entry, isBefore(since, entry.id) ? undefined : 0)),
      ...entries.flatMap((entry) => this.#read(entry)),
    ];
    return {
      head: this.#epochs.at(last),
      records: await this.#ids.of(records),
      beginning: this.#epochs.at(since),
      floor: this.#epochs.at(floor),
      criticalFloor: isBefore(since, criticalFloor)
        ? this.#epochs.at(criticalFloor)
        : this.#epochs.earlier(criticalFloor),
    };
  }

  locate(cursor: Cursor): Offset | 'lost' | 'unknown' {
    return this.#epochs.locate(cursor);
  }

  /** @throws NotConnected, DeadlineError */
  async newest(): Promise<Offset> {
    const { epoch, last } = await this.#store.state();
    return this.#epochs.at(epoch === this.#epochs.current ? last : this.#reader.last).offset;
  }

  follow(follower: Follower): void {
    this.#isFollowed = true;
    void this.#reader.run(follower);
  }

  get lag(): Lag {
    return this.#reader.lag;
  }

  async close(): Promise<void> {
    const until = this.#clock.elapsed() + CLOSE_MS;
    while (this.#isFollowed && this.#reader.expects && this.#clock.elapsed() < until)
      await pause(this.#clock, LOOK_MS);
    const ended = Promise.all([this.#reader.close(), ...this.#noting]);
    await withDeadline(this.#clock, CLOSE_MS, 'the journal', ended).catch((error: unknown) =>
      this.#onError(error, 'closing the log'),
    );
  }

  async #appendFilled(messages: readonly Appended[]): Promise<readonly AppendOutcome[]> {
    for (;;) {
      const outcomes = await this.#store.append(messages, false);
      if (outcomes !== undefined) return outcomes;
      await this.#filled();
    }
  }

  #appended(message: Appended, appended: AppendOutcome): Cursor | undefined {
    const cursor = appended.outcome === 'appended' ? cursorOf(appended.epoch, appended.id) : appended.cursor;
    if (appended.outcome === 'appended' && appended.epoch === this.#epochs.current)
      this.#reader.expect(appended.id);
    this.#note(message, appended.outcome, cursor);
    return cursor;
  }

  /**
   * Tells the journal that the log has a message. Nobody waits for it: if it fails, the message is appended again, and dropped.
   * A critical one is noted by whoever reads it; one that is appended again was not.
   */
  #note(
    { delivery, recordIds = [], id }: Appended,
    outcome: AppendOutcome['outcome'],
    cursor: Cursor | undefined,
  ): void {
    const journal = this.#journal;
    if (journal === undefined || recordIds.length === 0) return;
    if (delivery === 'invalidation') return this.#whileNoting(journal.remove(recordIds));
    // A message that is appended again under the id that clients know keeps that id.
    if (outcome === 'appended' || cursor === undefined || id !== undefined) return;
    this.#whileNoting(this.#ids.record(recordIds, cursor));
  }

  #whileNoting(noted: Promise<unknown>): void {
    const noting = noted.then(
      () => undefined,
      (error: unknown) =>
        this.#onError(error, 'noting that the log has a message; it will be appended again'),
    );
    this.#noting.add(noting);
    void noting.then(() => this.#noting.delete(noting));
  }

  /**
   * The log's state, once it has the critical messages that the journal retains from before it. If it is lost meanwhile, what
   * was appended went into two logs, and neither has all.
   */
  async #filled(): Promise<OpenState> {
    for (;;) {
      const state = await this.#store.state();
      if (state.isFilled) return state;
      if (await this.#refill()) await this.#store.setFilled(state.epoch);
    }
  }

  /** Whether the log took all. If not, another replica has filled it. */
  async #refill(): Promise<boolean> {
    // If there are more than it retains, it drops one, and its floor says so.
    const entries = (await this.#journal?.criticals(this.#criticalCapacity + 1)) ?? [];
    for (let first = 0; first < entries.length; first += REFILL) {
      const messages = entries
        .slice(first, first + REFILL)
        .map(({ message, recordId, publishedAt, cursor }): Appended => {
          const id = cursor === undefined ? {} : { id: cursor };
          return { ...message, recordIds: [recordId], publishedAt, ...id };
        });
      const outcomes = await this.#store.append(messages, true);
      if (outcomes === undefined) return false;
      for (const [index, outcome] of outcomes.entries()) {
        const message = messages[index];
        if (message !== undefined) this.#appended(message, outcome);
      }
    }
    return true;
  }

  /** The record of an entry; none if the entry cannot be read. `generation`: of its offset, if not the current one. */
  #read(entry: Entry, generation?: number): LogRecord[] {
    try {
      const offset =
        generation === undefined ? this.#epochs.at(entry.id).offset : offsetOf(generation, entry.id);
      return [recordOf(entry, offset, this.#process)];
    } catch (error) {
      this.#onError(error, `reading entry ${entry.id} of the log`);
      return [];
    }
  }
}
