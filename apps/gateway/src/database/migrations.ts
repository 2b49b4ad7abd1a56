import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { queryError } from './query-error.js';

const folder = fileURLToPath(new URL('../../migrations', import.meta.url));

/** Runs a statement in the transaction that migrates. */
export type Ask = (statement: string, values?: unknown[]) => Promise<{ readonly rows: unknown[] }>;

/**
 * Applies the migrations that the database lacks, and records them where drizzle's tools look. The caller begins and
 * commits the transaction, and makes sure that nobody else migrates. drizzle's own runner opens its own transaction, so
 * the lock would have to belong to the connection, which a pooler does not keep.
 */
export async function applyMigrations(ask: Ask): Promise<void> {
  const { rows } = await ask(`SELECT to_regclass('drizzle.__drizzle_migrations') IS NULL AS "isNew"`);
  if ((rows[0] as { isNew: boolean }).isNew) {
    await ask('CREATE SCHEMA IF NOT EXISTS drizzle');
    await ask(
      'CREATE TABLE drizzle.__drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)',
    );
  }
  const applied = await ask('SELECT max(created_at)::text AS last FROM drizzle.__drizzle_migrations');
  const last = Number((applied.rows[0] as { last: string | null }).last ?? 0);
  for (const { folderMillis, hash, sql } of readMigrationFiles({ migrationsFolder: folder })) {
    if (folderMillis <= last) continue;
    for (const statement of sql) {
      await ask(statement).catch((error: unknown) => {
        throw queryError(statement, error);
      });
    }
    await ask('INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ($1, $2)', [
      hash,
      folderMillis,
    ]);
  }
}
