import { setTimeout as wait } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { StartupError } from '../process/startup-error.js';
import { applyMigrations } from './migrations.js';
import { Connection } from './postgres.js';

/** Any number that no other lock has. Only one replica migrates at a time. */
const MIGRATION_LOCK = 7_110_001;
const RETRY_MS = 250;
/** How long to wait before logging that the start waits. */
const LOG_AFTER_MS = 2000;
const PATIENCE_SECONDS = 60;
/** Of one statement: building an index on a large table takes long. */
const STATEMENT_MS = 30 * 60_000;

/**
 * Migrates, one replica at a time. The lock is released with the transaction, however that ends: so it also works behind
 * a pooler that lends connections by transaction, and a migrator that was killed leaves no lock.
 * @throws StartupError if another replica holds the lock for more than `patienceSeconds`
 */
export async function migratePostgres(url: string, patienceSeconds = PATIENCE_SECONDS): Promise<void> {
  const client = new Connection({
    connectionString: url,
    connectionTimeoutMillis: 5000,
    query_timeout: STATEMENT_MS,
    keepAlive: true,
    application_name: 'crossfade migrations',
  });
  const begun = performance.now();
  let hasLogged = false;
  try {
    await client.connect();
    while (!(await migrateUnlessHeld(client))) {
      const waited = performance.now() - begun;
      if (waited > patienceSeconds * 1000) {
        throw new StartupError(
          `Another gateway has been migrating the database for ${patienceSeconds} seconds; wait until it has started, or end the session that holds advisory lock ${MIGRATION_LOCK}, and start again.`,
        );
      }
      if (waited > LOG_AFTER_MS && !hasLogged) {
        hasLogged = true;
        new Logger('Database').log('Waiting for another gateway to migrate the database.');
      }
      await wait(RETRY_MS);
    }
  } finally {
    client.end().catch(() => undefined);
  }
}

async function migrateUnlessHeld(client: Connection): Promise<boolean> {
  const ask = (statement: string, values?: unknown[]) =>
    client.query<Record<string, unknown>>(statement, values);
  // A migrator that is cut off must not keep its locks, and one that waits for a table must not block others for long.
  await ask(
    `BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '${PATIENCE_SECONDS}s'; SET LOCAL idle_in_transaction_session_timeout = '${PATIENCE_SECONDS}s'`,
  );
  const { rows } = await ask('SELECT pg_try_advisory_xact_lock($1) AS held', [MIGRATION_LOCK]);
  const isOurs = rows[0]?.['held'] === true;
  if (isOurs) await applyMigrations(ask);
  await ask(isOurs ? 'COMMIT' : 'ROLLBACK');
  return isOurs;
}
