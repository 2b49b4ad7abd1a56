import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Journal, JournalEntry, OpenJournal, Position, StampedMessage } from '@crossfade/push';
import { eq, lt, sql } from 'drizzle-orm';
import { DiskFull } from './disk-space.js';
import { AUTHENTICATION_DATABASE, DATABASE } from './database.token.js';
import type { Database, Transaction } from './database.js';
import { pushLog, pushMessages } from './schema/push.js';

/** Critical messages that are read at startup; a window retains fewer by default. */
const READ_AT_START = 10_000;

/** Records messages in the transaction of their change. */
export async function record(
  transaction: Transaction,
  messages: readonly JournalEntry['message'][],
): Promise<void> {
  const rows = messages.map(({ recordId, ...message }) => ({ recordId, message: JSON.stringify(message) }));
  if (rows.length > 0) await transaction.insert(pushMessages).values(rows);
}

/** The outbox: critical messages in the gateway's database, so that they survive the process. */
@Injectable()
export class Outbox implements Journal {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(AUTHENTICATION_DATABASE) private readonly own: Database,
  ) {}

  async open(): Promise<OpenJournal> {
    const [log] = await this.database
      .insert(pushLog)
      .values({ name: randomBytes(6).toString('base64url') })
      .onConflictDoUpdate({ target: pushLog.only, set: { generation: sql`${pushLog.generation} + 1` } })
      .returning();
    if (log === undefined) throw new Error('the database gave no log back');
    // Messages without an offset come first: nobody has been sent them.
    const rows = await this.database
      .select()
      .from(pushMessages)
      .orderBy(sql`${pushMessages.place} DESC NULLS FIRST`, sql`${pushMessages.id} DESC`)
      .limit(READ_AT_START + 1);
    const tooMany = rows.length > READ_AT_START ? rows.pop() : undefined;
    return {
      log: log.name,
      generation: log.generation,
      floor: tooMany?.cursor ?? log.floor ?? undefined,
      entries: rows.sort((a, b) => a.id - b.id).map(toEntry),
    };
  }

  async recordPosition(recordId: string, { cursor, offset }: Position): Promise<void> {
    try {
      await this.own
        .update(pushMessages)
        .set({ cursor, place: String(offset) })
        .where(eq(pushMessages.recordId, recordId));
    } catch (error) {
      // The disk filled up after the message was committed. A restart repeats it with another id. The full disk is logged once.
      if (!(error instanceof DiskFull)) throw error;
    }
  }

  /** Drops messages older than `oldest`, and records the last cursor dropped. */
  async prune(oldest: Date): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const dropped = await transaction
        .delete(pushMessages)
        .where(lt(pushMessages.created, oldest))
        .returning({ cursor: pushMessages.cursor, place: pushMessages.place });
      const [last] = dropped
        .flatMap(({ cursor, place }) =>
          cursor === null || place === null ? [] : [{ cursor, place: BigInt(place) }],
        )
        .sort((a, b) => (a.place > b.place ? -1 : 1));
      if (last !== undefined) await transaction.update(pushLog).set({ floor: last.cursor });
    });
  }
}

type Row = typeof pushMessages.$inferSelect;

function toEntry({ recordId, message, created, cursor }: Row): JournalEntry {
  // `record` wrote it.
  const stamped = JSON.parse(message) as StampedMessage;
  return {
    message: { ...stamped, recordId },
    publishedAt: created.getTime(),
    cursor: cursor ?? undefined,
  };
}
