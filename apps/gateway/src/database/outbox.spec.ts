import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { Logger } from '@nestjs/common';
import { everyone, organization } from '@crossfade/protocol';
import { MemoryMessageLog, type LogRecord, type StampedMessage } from '@crossfade/push';
import { asc, sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readSettings } from '../process/settings.js';
import { openDatabase, type OpenDatabase } from './database.js';
import { applyMigrations } from './migrations.js';
import type { OutboxScope } from './outbox-rows.js';
import { Outbox } from './outbox.js';
import { pushLog, pushMessages } from './schema/push.js';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-outbox-'));
let open: OpenDatabase;

beforeAll(async () => {
  Logger.overrideLogger(false);
  open = await openDatabase(readSettings({ DATA_DIR: folder, LOG_LEVEL: 'silent' }));
});
afterAll(async () => {
  await open.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await open.database.delete(pushMessages);
  await open.database.delete(pushLog);
});

const outboxOf = (scope: OutboxScope) => new Outbox(open.database, open.authentication, scope);

const stamped = (said: string, delivery: StampedMessage['delivery'] = 'critical'): StampedMessage => ({
  type: 'StackChanged',
  data: JSON.stringify({ type: 'StackChanged', message: { said } }),
  audience: [organization('o'), everyone],
  delivery,
  key: said,
});

/** Records messages in a transaction. @returns their record ids */
const record = (outbox: Outbox, ...messages: readonly StampedMessage[]) =>
  open.database.transaction((transaction) =>
    outbox.record(
      transaction,
      messages.map((message) => ({ id: randomUUID(), stamped: message })),
    ),
  );

const rows = () => open.database.select().from(pushMessages).orderBy(asc(pushMessages.id));

/** A process with the log of one process, from its start to its end. */
async function runOnce(publishes: readonly StampedMessage[] = []) {
  const outbox = outboxOf('criticals');
  const log = new MemoryMessageLog({ journal: outbox });
  const start = await log.open();
  const read: LogRecord[] = [];
  log.follow({ record: (one) => void read.push(one), hole: () => undefined });
  for (const message of publishes) {
    const [recordId] = await record(outbox, message);
    await log.append(recordId === undefined ? message : { ...message, recordIds: [recordId] });
  }
  await log.close();
  return { start, read };
}
const keysOf = (records: readonly LogRecord[]) => records.map(({ key }) => key);
const idsOf = (records: readonly LogRecord[]) => records.map(({ id, cursor }) => id ?? cursor);

describe('the outbox of a process with a log of its own', () => {
  it('costs a transaction nothing that is not critical', async () => {
    const ids = await record(outboxOf('criticals'), stamped('a', 'invalidation'), stamped('b'));
    expect(ids[0]).toBeUndefined();
    expect((await rows()).map(({ recordId, critical }) => [recordId, critical])).toEqual([[ids[1], true]]);
  });
});

describe('the outbox of a process whose log was shared before', () => {
  it('keeps every critical message under its id, and hands over what no log has, once', async () => {
    const before = await runOnce([stamped('of its own')]);
    const shared = outboxOf('everything');
    const [first, second] = await record(shared, stamped('of the other log'), stamped('later of it'));
    await shared.recordFirstPosition(first ?? '', { cursor: '1700000000000-0', offset: 17n << 70n });
    await shared.recordFirstPosition(second ?? '', { cursor: '1700000000001-0', offset: 18n << 70n });
    await record(
      shared,
      stamped('stale', 'invalidation'),
      stamped('stale too', 'invalidation'),
      stamped('new'),
    );
    await open.database.insert(pushMessages).values({ recordId: randomUUID(), message: 'not a message' });

    const { start, read } = await runOnce();
    expect(keysOf(start.records)).toEqual(['of its own', 'of the other log', 'later of it']);
    expect(idsOf(start.records)).toEqual([before.read[0]?.cursor, '1700000000000-0', '1700000000001-0']);
    expect(keysOf(read)).toEqual(['stale', 'stale too', 'new']);
    expect(read.every(({ offset }) => offset > start.head.offset)).toBe(true);

    const next = await runOnce();
    expect(next.read).toEqual([]);
    expect(keysOf(next.start.records)).toEqual(['of its own', 'new', 'of the other log', 'later of it']);
    expect(idsOf(next.start.records)).toEqual([
      before.read[0]?.cursor,
      read[2]?.cursor,
      '1700000000000-0',
      '1700000000001-0',
    ]);
  });

  it('records the floor of its own log only', async () => {
    const { read } = await runOnce([stamped('own')]);
    const shared = outboxOf('everything');
    const [recordId = ''] = await record(shared, stamped('foreign'));
    await shared.recordFirstPosition(recordId, { cursor: '1700000000000-0', offset: 17n << 70n });
    await shared.prune(new Date(Date.now() + 60_000));
    expect(await rows()).toEqual([]);
    const { start } = await runOnce();
    expect(start.criticalFloor.cursor).toBe(read[0]?.cursor);
  });
});

describe('the outbox of replicas that share a log', () => {
  it('gives all critical messages back in order, with the cursors that clients know them by', async () => {
    const { read } = await runOnce([stamped('a')]);
    const shared = outboxOf('everything');
    const ids = await record(shared, stamped('b'), stamped('c', 'invalidation'), stamped('d'));
    await shared.recordFirstPosition(ids[0] ?? '', { cursor: '5-0', offset: 5n });
    // The log was lost, and has it again.
    await shared.recordFirstPosition(ids[0] ?? '', { cursor: '9-0', offset: 9n });
    const found = await shared.criticals(10);
    expect(found.map(({ message: { key }, cursor }) => [key, cursor])).toEqual([
      ['a', read[0]?.cursor],
      ['b', '5-0'],
      ['d', undefined],
    ]);
    expect((await shared.criticals(2)).map(({ message: { key } }) => key)).toEqual(['b', 'd']);
    expect(found[1]?.recordId).toBe(ids[0]);
  });

  it('prunes critical messages by age, and keeps what no log has', async () => {
    const shared = outboxOf('everything');
    await record(shared, stamped('old'), stamped('stale', 'invalidation'));
    await open.database.update(pushMessages).set({ created: new Date(Date.now() - 60_000) });
    await record(shared, stamped('young'));
    await shared.prune(new Date(Date.now() - 30_000));
    expect((await rows()).map(({ message }) => (JSON.parse(message) as StampedMessage).key)).toEqual([
      'stale',
      'young',
    ]);
  });

  it('counts what no log has, and the age of the oldest', async () => {
    const shared = outboxOf('everything');
    expect(await shared.backlog()).toEqual({ rows: 0, ageSeconds: 0 });
    const [recordId = ''] = await record(shared, stamped('a'), stamped('b', 'invalidation'));
    await open.database
      .update(pushMessages)
      .set({ created: sql`clock_timestamp() - interval '100 seconds'` });
    await record(shared, stamped('c'));
    const { rows: depth, ageSeconds } = await shared.backlog();
    expect(depth).toBe(3);
    expect(ageSeconds).toBeGreaterThanOrEqual(100);
    expect(ageSeconds).toBeLessThan(120);
    await shared.recordFirstPosition(recordId, { cursor: '5-0', offset: 5n });
    expect((await shared.backlog()).rows).toBe(2);
  });

  it('removes no critical message, whatever it is told', async () => {
    const shared = outboxOf('everything');
    const ids = await record(shared, stamped('a'), stamped('b', 'invalidation'));
    await shared.remove(ids.flatMap((id) => id ?? []));
    await shared.close();
    expect((await rows()).map(({ critical }) => critical)).toEqual([true]);
  });
});

it('has the messages of an earlier version after the migration', async () => {
  const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url));
  const client = await PGlite.create({ extensions: { pg_trgm } });
  await client.exec(
    'CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)',
  );
  // Those before the outbox recorded anything that is not critical.
  for (const { sql: statements, hash, folderMillis } of readMigrationFiles({ migrationsFolder }).slice(
    0,
    8,
  )) {
    for (const statement of statements) await client.exec(statement);
    await client.query('INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ($1, $2)', [
      hash,
      folderMillis,
    ]);
  }
  const { data: _, ...stamp } = stamped('a');
  const message = JSON.stringify({ ...stamp, message: { said: 'a' } });
  await client.query(
    'INSERT INTO push_messages (record_id, message, cursor, place) VALUES ($1, $2, $3, $4)',
    [randomUUID(), message, 'abcdefgh.1-1', '1'],
  );
  await client.transaction((transaction) =>
    applyMigrations((statement, values) => transaction.query(statement, values)),
  );
  const { rows: migrated } = await client.query<typeof pushMessages.$inferInsert>(
    'SELECT record_id AS "recordId", message, critical, cursor, place FROM push_messages',
  );
  await client.close();
  await open.database.insert(pushMessages).values(migrated);
  expect(await outboxOf('everything').criticals(10)).toMatchObject([
    { message: stamped('a'), cursor: 'abcdefgh.1-1' },
  ]);
});
