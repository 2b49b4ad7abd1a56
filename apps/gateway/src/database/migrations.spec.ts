import { PGlite } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { applyMigrations } from './migrations.js';

const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url));
const apply = (client: PGlite) =>
  client.transaction((transaction) =>
    applyMigrations((statement, values) => transaction.query(statement, values)),
  );
const applied = async (client: PGlite) =>
  (await client.query('SELECT hash, created_at FROM drizzle.__drizzle_migrations ORDER BY id')).rows;

it("makes the same database as drizzle's own runner, goes on with one of its making, and it with ours", async () => {
  const theirs = await PGlite.create({ extensions: { pg_trgm } });
  const ours = await PGlite.create({ extensions: { pg_trgm } });
  await migrate(drizzle({ client: theirs }), { migrationsFolder });
  await apply(ours);
  const expected = await applied(theirs);
  expect(expected.length).toBeGreaterThan(3);
  expect(await applied(ours)).toEqual(expected);
  await apply(theirs);
  await migrate(drizzle({ client: ours }), { migrationsFolder });
  expect(await applied(theirs)).toEqual(expected);
  expect(await applied(ours)).toEqual(expected);
  await Promise.all([theirs.close(), ours.close()]);
}, 60_000);
