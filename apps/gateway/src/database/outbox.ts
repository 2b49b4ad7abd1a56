import { randomBytes } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  systemClock,
  type Cursor,
  type Journal,
  type JournalEntry,
  type OpenJournal,
  type Position,
  type SharedJournal,
} from '@crossfade/push';
import { and, asc, desc, eq, gt, inArray, isNull, lt, not, sql, type SQL } from 'drizzle-orm';
import { describeFault, FaultLog } from '../process/fault-log.js';
import { DiskFull } from './disk-space.js';
import { AUTHENTICATION_DATABASE, DATABASE } from './database.token.js';
import type { Database, Queries, Transaction } from './database.js';
import { Removals } from './outbox-removals.js';
import { planRows, readRow, recordIdOf, writeRow, type OutboxScope, type Told } from './outbox-rows.js';
import { pushLog, pushMessages } from './schema/push.js';

/** Injects the `OutboxScope`. */
export const OUTBOX_SCOPE = Symbol('OUTBOX_SCOPE');

/** Critical messages that are read at once; a window retains fewer by default. */
const MOST_CRITICALS = 10_000;
/** Rows of other messages that are read at a start. Every client that comes then is told to refetch anyway. */
const MOST_OTHERS = 100;
/** Rows that one statement inserts. */
const INSERTED_ROWS = 8;
/** Rows that the relay reads at once. */
const RELAYED_ROWS = 32;
/** How far the rows without a cursor are counted. */
const MOST_COUNTED = 10_000;
/** After so long without a failure of the log, the next one is logged again, milliseconds. */
const OUTAGE_MS = 60_000;
/** Any number that no other lock has. */
const RELAY_LOCK = 7_110_002;
const ONE_ROW = sql`(SELECT 1) AS one_row`;

type Row = Pick<typeof pushMessages.$inferSelect, 'id' | 'recordId' | 'message' | 'created' | 'cursor'>;

/**
 * The outbox: messages in the gateway's database, recorded in the transaction of their change, so that they survive the
 * process. Both kinds of log use it: that of one process, and one that replicas share.
 */
@Injectable()
export class Outbox implements Journal, SharedJournal {
  readonly #logger = new Logger(Outbox.name);
  readonly #faults = new FaultLog(Outbox.name);
  #lastKept = -Infinity;
  /** Rows that could not be read, and were logged. */
  readonly #unreadable = new Set<number>();
  readonly #removals = new Removals(
    (rowIds) => this.#removeRows(rowIds),
    systemClock,
    (error, doing) => this.#faults.failure(error, doing),
  );

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(AUTHENTICATION_DATABASE) private readonly own: Database,
    @Inject(OUTBOX_SCOPE) readonly scope: OutboxScope,
  ) {}

  /** Records what `scope` says, in the transaction that publishes it. @returns the record id of each message that is recorded */
  async record(transaction: Transaction, told: readonly Told[]): Promise<readonly (string | undefined)[]> {
    const { rows, recordIds } = planRows(told, this.scope);
    for (let first = 0; first < rows.length; first += INSERTED_ROWS) {
      const values = rows
        .slice(first, first + INSERTED_ROWS)
        .map((row) => sql`(${row.rowId}, ${writeRow(row)}, ${row.messages[0]?.delivery === 'critical'})`);
      // As SQL, because drizzle's builder takes ten times as long for it, and every change waits for this.
      await transaction.execute(
        sql`INSERT INTO push_messages (record_id, message, critical) VALUES ${sql.join(values, sql`, `)}`,
      );
    }
    return recordIds;
  }

  async open(): Promise<OpenJournal> {
    const [log] = await this.database
      .insert(pushLog)
      .values({ name: randomBytes(6).toString('base64url') })
      .onConflictDoUpdate({ target: pushLog.only, set: { generation: sql`${pushLog.generation} + 1` } })
      .returning();
    if (log === undefined) throw new Error('the database gave no log back');
    // Messages without an offset come first: nobody has been sent them.
    const rows = await this.#criticals(sql`${pushMessages.cursor} IS NULL OR ${isOf(log.name)}`, [
      sql`${pushMessages.place} DESC NULLS FIRST`,
      sql`${pushMessages.id} DESC`,
    ]);
    const tooMany = rows.length > MOST_CRITICALS ? rows.pop() : undefined;
    const foreign = await this.#criticals(not(isOf(log.name)), [desc(pushMessages.id)]);
    const others = await this.#takeOthers();
    return {
      log: log.name,
      generation: log.generation,
      floor: tooMany?.cursor ?? log.floor ?? undefined,
      entries: this.#entriesOf([...rows, ...foreign, ...others]),
    };
  }

  async criticals(most: number): Promise<readonly JournalEntry[]> {
    return this.#entriesOf(await this.#criticals(undefined, [desc(pushMessages.id)], most));
  }

  /** Keeps the first position: its cursor is the id that clients know the message by, whatever log it is in later. */
  async recordPosition(recordId: string, position: Position): Promise<void> {
    try {
      await this.recordFirstPosition(recordId, position);
    } catch (error) {
      // The disk filled up after the message was committed. A restart repeats it with another id. The full disk is logged once.
      if (!(error instanceof DiskFull)) throw error;
    }
  }

  async recordFirstPosition(recordId: string, { cursor, offset }: Position): Promise<Cursor | undefined> {
    const isIt = eq(pushMessages.recordId, recordId);
    const [recorded] = await this.own
      .update(pushMessages)
      .set({ cursor, place: String(offset) })
      .where(and(isIt, isNull(pushMessages.cursor)))
      .returning({ cursor: pushMessages.cursor });
    if (recorded !== undefined) return cursor;
    const [first] = await this.own.select({ cursor: pushMessages.cursor }).from(pushMessages).where(isIt);
    return first?.cursor ?? undefined;
  }

  /** Removes their rows soon, once all messages of a row were named. Never rejects: what cannot be removed is appended again. */
  remove(recordIds: readonly string[]): Promise<void> {
    for (const recordId of recordIds) this.#removals.add(recordId);
    return Promise.resolve();
  }

  /** Drops critical messages older than `oldest`, and records the last cursor dropped. */
  async prune(oldest: Date): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const dropped = await transaction
        .delete(pushMessages)
        .where(and(pushMessages.critical, lt(pushMessages.created, oldest)))
        .returning({ cursor: pushMessages.cursor, place: pushMessages.place });
      if (dropped.length === 0) return;
      const [log] = await transaction.select({ name: pushLog.name }).from(pushLog);
      const [last] = dropped
        .flatMap(({ cursor, place }) =>
          log === undefined || place === null || cursor?.startsWith(`${log.name}.`) !== true
            ? []
            : [{ cursor, place: BigInt(place) }],
        )
        .sort((a, b) => (a.place > b.place ? -1 : 1));
      if (last !== undefined) await transaction.update(pushLog).set({ floor: last.cursor });
    });
  }

  /** How many rows are in no log yet, at most 10,000, and the age of the oldest. It takes a read of the database. */
  async backlog(): Promise<{ readonly rows: number; readonly ageSeconds: number }> {
    const oldest = this.own
      .select({ created: pushMessages.created })
      .from(pushMessages)
      .where(isNull(pushMessages.cursor))
      .orderBy(asc(pushMessages.id))
      .limit(MOST_COUNTED)
      .as('oldest');
    const age = sql<number>`coalesce(extract(epoch FROM clock_timestamp() - min(${oldest.created})), 0)::float8`;
    const [found] = await this.own.select({ rows: sql<number>`count(*)::int`, age }).from(oldest);
    return { rows: found?.rows ?? 0, ageSeconds: Math.max(0, found?.age ?? 0) };
  }

  /** Whether rows of at least that age are in no log yet. */
  async hasUnappended(ageMs: number): Promise<boolean> {
    const [first] = await this.own
      .select({ id: pushMessages.id })
      .from(pushMessages)
      .where(unappended(ageMs, 0))
      .limit(1);
    return first !== undefined;
  }

  /** The messages of the next rows of at least that age that are in no log yet, oldest first. `after`: the last row that was read. */
  async unappended(
    queries: Queries,
    after: number,
    ageMs: number,
  ): Promise<{ readonly rows: readonly (readonly JournalEntry[])[]; readonly last: number | undefined }> {
    const read = await queries
      .select()
      .from(pushMessages)
      .where(unappended(ageMs, after))
      .orderBy(asc(pushMessages.id))
      .limit(RELAYED_ROWS);
    const rows = read
      .filter(({ recordId }) => !this.#removals.has(recordId))
      .map((row) => this.#entries(row));
    return { rows, last: read.at(-1)?.id };
  }

  /** Does the work while no other replica does it, or does nothing. The lock ends with the transaction that it gets. */
  async asOnlyRelay(work: (queries: Queries) => Promise<void>): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const [lock] = await transaction
        .select({ isOurs: sql<boolean>`pg_try_advisory_xact_lock(${RELAY_LOCK})` })
        .from(ONE_ROW);
      if (lock?.isOurs === true) await work(transaction);
    });
  }

  /** The log did not take a recorded message. Logged once for each outage of the log, however many messages it meets. */
  logOutage(error: unknown): void {
    const now = performance.now();
    if (now - this.#lastKept > OUTAGE_MS)
      this.#logger.warn(
        `The log takes no messages, so they stay in the outbox until it does: ${describeFault(error)}`,
      );
    this.#lastKept = now;
  }

  /** Removes what still waits for it. Call it before the database is closed. */
  close(): Promise<void> {
    return this.#removals.close();
  }

  #criticals(which: SQL | undefined, order: SQL[], most = MOST_CRITICALS + 1): Promise<Row[]> {
    return this.database
      .select()
      .from(pushMessages)
      .where(and(pushMessages.critical, which))
      .orderBy(...order)
      .limit(most);
  }

  /** Rows that a shared log had no time for. The log of one process has them, and nobody else, once they are read. */
  async #takeOthers(): Promise<Row[]> {
    return this.database.transaction(async (transaction) => {
      const rows = await transaction
        .select()
        .from(pushMessages)
        .where(not(pushMessages.critical))
        .orderBy(desc(pushMessages.id))
        .limit(MOST_OTHERS);
      if (rows.length > 0) await transaction.delete(pushMessages).where(not(pushMessages.critical));
      return rows;
    });
  }

  async #removeRows(rowIds: readonly string[]): Promise<void> {
    await this.own
      .delete(pushMessages)
      .where(and(inArray(pushMessages.recordId, [...rowIds]), not(pushMessages.critical)));
  }

  #entriesOf(rows: readonly Row[]): JournalEntry[] {
    return [...rows].sort((a, b) => a.id - b.id).flatMap((row) => this.#entries(row));
  }

  #entries({ id, recordId, message, created, cursor }: Row): JournalEntry[] {
    const messages = readRow(message);
    if (messages === undefined) this.#logUnreadable(id);
    return (messages ?? []).map((one, index) => ({
      recordId: recordIdOf(recordId, index, messages?.length ?? 1),
      message: one,
      publishedAt: created.getTime(),
      cursor: cursor ?? undefined,
    }));
  }

  #logUnreadable(id: number): void {
    if (this.#unreadable.has(id) || this.#unreadable.size >= MOST_COUNTED) return;
    this.#unreadable.add(id);
    this.#logger.error(`Row ${id} of push_messages cannot be read, so it is left where it is.`);
  }
}

/** Whether a row's cursor is of the log of this name: those of one process begin with it. */
const isOf = (log: string): SQL => sql`starts_with(${pushMessages.cursor}, ${`${log}.`})`;

/** By the database's clock. The id is no bound for later rounds, only for the rest of this one. */
const unappended = (ageMs: number, after: number): SQL | undefined =>
  and(
    isNull(pushMessages.cursor),
    gt(pushMessages.id, after),
    sql`${pushMessages.created} <= clock_timestamp() - ${ageMs} * interval '1 millisecond'`,
  );
