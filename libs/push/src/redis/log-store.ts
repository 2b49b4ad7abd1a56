import { randomBytes } from 'node:crypto';
import type { Cursor } from '../log.js';
import type { LogState } from './chain.js';
import type { RedisConnection } from './connection.js';
import { fieldsOf, readEntries, type Appended, type Entry } from './entry.js';
import { FIRST, isBefore, type EntryId } from './entry-id.js';
import { asFull } from './fault.js';
import { listOf, textsOf, type Reply } from './reply.js';
import { appendScript, filledScript, newEpochScript, stateScript } from './log-scripts.js';

export interface RedisLogLimits {
  /** Records that the log retains, of up to 4096 characters; larger ones count as several. */
  readonly capacity: number;
  readonly criticalCapacity: number;
  readonly criticalRetentionMs: number;
}

/** What a log is, when it is opened. */
export interface OpenState {
  readonly epoch: string;
  readonly last: EntryId;
  readonly number: number;
  /** The last entry that was dropped. */
  readonly floor: EntryId;
  readonly criticalFloor: EntryId;
  /** The last entry of the epoch before. */
  readonly since: EntryId;
  /** Whether it has all critical messages that were recorded before it began. */
  readonly isFilled: boolean;
}

/** What one read of the log found. */
export interface Read {
  readonly entries: readonly Entry[];
  readonly state: LogState & { readonly number: number };
}

export type AppendOutcome =
  | { readonly outcome: 'appended'; readonly epoch: string; readonly id: EntryId }
  /** The log has had it. Where, it knows of critical messages. */
  | { readonly outcome: 'double'; readonly cursor: Cursor | undefined };

/** How long record ids are known after an append, so that doubles are dropped; those of critical messages as long as those are retained. */
const DOUBLES_MS = 10 * 60_000;
/** How long a read waits for an entry. */
const BLOCK_MS = 1000;
/** How much later than that an answer may come. */
const READ_MARGIN_MS = 2000;
/** Entries of one read: a bound of what waits in memory, and of what Redis does at once. */
const BATCH = 128;
/** As `LoggedFrame` counts it. */
const UNIT = 4096;

/** The commands of the log. Its keys are in one slot. */
export class RedisLogStore {
  readonly #log: string;
  readonly #criticals: string;
  readonly #doubles: string;
  readonly #ids: string;
  readonly #state: string;

  constructor(
    private readonly commands: RedisConnection,
    private readonly reader: RedisConnection,
    prefix: string,
    private readonly limits: RedisLogLimits,
  ) {
    this.#log = `{${prefix}}:log`;
    this.#criticals = `${this.#log}:criticals`;
    this.#doubles = `${this.#log}:doubles`;
    this.#ids = `${this.#log}:ids`;
    this.#state = `${this.#log}:state`;
  }

  /**
   * Appends in order. `isRefill`: what is retained from before the log; it takes that until it is filled, and then only what
   * is not. @returns undefined: it does not take this now, or there is no log
   * @throws NotConnected; DeadlineError, after which they may still be appended; RedisFault: it is full; Redis' error
   */
  async append(
    messages: readonly Appended[],
    isRefill: boolean,
  ): Promise<readonly AppendOutcome[] | undefined> {
    const { capacity, criticalCapacity, criticalRetentionMs } = this.limits;
    const numbers = [capacity, criticalCapacity, criticalRetentionMs, DOUBLES_MS, isRefill ? 1 : 0].map(
      String,
    );
    const appending = this.commands.run(
      appendScript,
      [this.#log, this.#criticals, this.#doubles, this.#ids, this.#state],
      [...numbers, ...messages.flatMap(argumentsOf)],
    );
    const reply = await appending.catch((error: unknown) => {
      throw asFull(error);
    });
    if (reply === null) return undefined;
    return listOf(reply).map((one) => {
      const [outcome, id = '', epoch = ''] = textsOf(one);
      if (outcome === 'appended') return { outcome, id, epoch };
      return { outcome: 'double', cursor: id === '' ? undefined : id };
    });
  }

  /** Waits about a second for entries after one. @throws as `append` */
  async read(after: EntryId): Promise<Read> {
    const wait = ['COUNT', String(BATCH), 'BLOCK', String(BLOCK_MS)];
    const found = await this.reader.send(
      this.#log,
      ['XREAD', ...wait, 'STREAMS', this.#log, after],
      BLOCK_MS + READ_MARGIN_MS,
    );
    const [[, reply] = ['', []]] = (found ?? []) as [string, Reply][];
    const entries = readEntries(reply);
    const end = entries.at(-1);
    // The last entry says as much as the state does.
    if (end !== undefined && entries.length < BATCH)
      return { entries, state: { epoch: end.epoch, last: end.id, number: end.number } };
    const state = await this.reader.send(this.#state, ['HMGET', this.#state, 'epoch', 'last', 'number']);
    const [epoch, last, number] = state as (string | null)[];
    return {
      entries,
      state: { epoch: epoch ?? undefined, last: last ?? FIRST, number: Number(number ?? 0) },
    };
  }

  /** Begins an empty log, if there is none. @throws as `append` */
  async state(): Promise<OpenState> {
    const reply = await this.commands.run(stateScript, [this.#state], [newEpoch()]);
    const [
      epoch = '',
      last = FIRST,
      number = '0',
      floor = FIRST,
      criticalFloor = FIRST,
      since = FIRST,
      filled,
    ] = textsOf(reply);
    return { epoch, last, number: Number(number), floor, criticalFloor, since, isFilled: filled === '1' };
  }

  /** Begins a new epoch, unless the log has another one than `old` already. @throws as `append` */
  async beginEpoch(old: string): Promise<void> {
    await this.commands.run(newEpochScript, [this.#state], [old, newEpoch()]);
  }

  async setFilled(epoch: string): Promise<void> {
    await this.commands.run(filledScript, [this.#state], [epoch]);
  }

  /** All entries after one, up to another, oldest first. @throws as `append` */
  async range(which: 'log' | 'criticals', after: EntryId, until: EntryId): Promise<Entry[]> {
    const key = which === 'log' ? this.#log : this.#criticals;
    const found: Entry[] = [];
    for (let last = after; isBefore(last, until);) {
      const reply = await this.commands.send(key, ['XRANGE', key, `(${last}`, until, 'COUNT', String(BATCH)]);
      const entries = readEntries(reply);
      found.push(...entries);
      const end = entries.at(-1);
      if (end === undefined) break;
      last = end.id;
    }
    return found;
  }
}

/** What `appendScript` takes for a message. */
function argumentsOf(message: Appended): string[] {
  const { delivery, data, recordIds = [] } = message;
  const weight = 1 + Math.floor(data.length / UNIT);
  return [delivery, String(weight), JSON.stringify(recordIds), ...fieldsOf(message)];
}

const newEpoch = (): string => randomBytes(6).toString('base64url');
