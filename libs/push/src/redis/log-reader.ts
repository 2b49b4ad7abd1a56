import { pause, type Clock } from '../clock.js';
import type { Follower, Hole, HoleKind, Lag, LogRecord } from '../log.js';
import { findHole } from './chain.js';
import type { Entry } from './entry.js';
import { FIRST, isBefore, later, type EntryId } from './entry-id.js';
import type { Epochs } from './epochs.js';
import type { OpenState, Read, RedisLogStore } from './log-store.js';

/** Between two attempts after an error, milliseconds. */
const RETRY_MS = 250;

/** What a reader works with. */
export interface LogReaderParts {
  readonly store: Pick<RedisLogStore, 'read' | 'range' | 'beginEpoch'>;
  readonly epochs: Epochs;
  /** The log's state, once it has all critical messages that the journal retains. */
  readonly filled: () => Promise<OpenState>;
  /** The records of entries, under the ids that clients know; none of an entry that cannot be read. */
  readonly recordsOf: (entries: readonly Entry[]) => Promise<readonly LogRecord[]>;
  /** Whether critical messages that Redis loses come back. */
  readonly hasJournal: boolean;
  readonly clock: Clock;
  readonly onError: (error: unknown, doing: string) => void;
}

type Found = Read | { readonly error: unknown };

/** Reads the log for one follower, on and on, and goes on behind holes. It waits for Redis as long as that is away. */
export class LogReader {
  /** The last entry that was read, and how many the log had with it. */
  #last: EntryId = FIRST;
  #number = 0;
  /** Entries that this process has appended and not read yet. Should later ones come without them, the log has lost them. */
  readonly #unread = new Set<EntryId>();
  /** How many entries the log had at the last read, and when they were all read. */
  #newest = 0;
  #caughtUpAt: number;
  #isFailing = false;
  #isClosed = false;
  #handingOn: Promise<void> = Promise.resolve();

  constructor(private readonly parts: LogReaderParts) {
    this.#caughtUpAt = parts.clock.elapsed();
  }

  get last(): EntryId {
    return this.#last;
  }

  get lag(): Lag {
    const records = Math.max(0, this.#newest - this.#number);
    const isBehind = records > 0 || this.#isFailing;
    return { records, seconds: isBehind ? (this.parts.clock.elapsed() - this.#caughtUpAt) / 1000 : 0 };
  }

  /** Whether entries that this process has appended will be read soon. */
  get expects(): boolean {
    return this.#unread.size > 0 && !this.#isFailing;
  }

  /** It begins behind this entry. */
  begin({ last, number }: Pick<OpenState, 'last' | 'number'>): void {
    this.#last = last;
    this.#number = number;
  }

  /** This process has appended an entry to the current epoch. */
  expect(id: EntryId): void {
    if (isBefore(this.#last, id)) this.#unread.add(id);
  }

  async run(follower: Follower): Promise<void> {
    let reading = this.#readOn();
    while (!this.#isClosed) {
      const found = await reading;
      if (this.#isClosed) return;
      if ('error' in found) {
        this.#isFailing = true;
        this.parts.onError(found.error, 'reading the log');
        await pause(this.parts.clock, RETRY_MS);
        reading = this.#readOn();
        continue;
      }
      this.#isFailing = false;
      const hole = this.#holeBefore(found);
      if (hole === undefined) {
        this.#moveOn(found);
        // The next entries are on their way while these are handed on.
        reading = this.#readOn();
        this.#handingOn = this.#handOn(found.entries, follower);
        await this.#handingOn;
        this.#handedOn(found);
      } else {
        await this.#skip(hole, follower);
        reading = this.#readOn();
      }
    }
  }

  /** Resolves when what is being handed on is. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#handingOn;
  }

  #readOn(): Promise<Found> {
    return this.parts.store.read(this.#last).catch((error: unknown) => ({ error }));
  }

  #holeBefore({ entries, state }: Read): HoleKind | undefined {
    const hole = findHole({ epoch: this.parts.epochs.current, id: this.#last }, entries, state);
    if (hole !== undefined || this.#unread.size === 0) return hole;
    const end = entries.at(-1)?.id ?? state.last;
    const read = new Set(entries.map(({ id }) => id));
    const isMissing = (id: EntryId): boolean =>
      entries.length > 0 ? !read.has(id) && isBefore(id, end) : isBefore(end, id);
    return [...this.#unread].some(isMissing) ? 'went_back' : undefined;
  }

  #moveOn({ entries, state }: Read): void {
    for (const { id } of entries) this.#unread.delete(id);
    this.#last = entries.at(-1)?.id ?? this.#last;
    this.#newest = state.number;
  }

  async #handOn(entries: readonly Entry[], follower: Follower): Promise<void> {
    for (const record of await this.parts.recordsOf(entries)) {
      const handled = follower.record(record);
      if (handled !== undefined) await handled;
    }
  }

  #handedOn({ entries, state }: Read): void {
    this.#number = entries.at(-1)?.number ?? this.#number;
    if (this.#number >= state.number) this.#caughtUpAt = this.parts.clock.elapsed();
  }

  /** Goes on behind a hole. Tries until it has, because nothing may be handed on before. */
  async #skip(kind: HoleKind, follower: Follower): Promise<void> {
    while (!this.#isClosed) {
      try {
        const hole = await this.#behind(kind);
        this.#unread.clear();
        this.#handingOn = Promise.resolve(follower.hole(hole));
        return await this.#handingOn;
      } catch (error) {
        this.parts.onError(error, 'going on after a hole in the log');
        await pause(this.parts.clock, RETRY_MS);
      }
    }
  }

  async #behind(kind: HoleKind): Promise<Hole> {
    const { store, epochs, filled, recordsOf, hasJournal } = this.parts;
    // Other replicas may not have noticed, and their cursors must not resume either.
    if (kind !== 'trimmed') await store.beginEpoch(epochs.current);
    const state = await filled();
    const isTrimmed = kind === 'trimmed' && state.epoch === epochs.current;
    const last = isTrimmed ? later(state.floor, this.#last) : state.last;
    const criticals = await store.range('criticals', isTrimmed ? this.#last : FIRST, last);
    // A log that began anew has filled itself from the journal, and may have dropped some of that at once.
    const known = isTrimmed || state.since !== FIRST ? this.#last : FIRST;
    const isComplete = (isTrimmed || hasJournal) && !isBefore(known, state.criticalFloor);
    if (!isTrimmed) {
      epochs.begin(state.epoch, last);
      this.#number = state.number;
    }
    this.#last = last;
    return {
      kind: isTrimmed || kind !== 'trimmed' ? kind : 'replaced',
      position: epochs.at(last),
      criticals: await recordsOf(criticals),
      isComplete,
    };
  }
}
