import { setTimeout as wait } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { StartupError } from '../process/startup-error.js';
import { applyMigrations } from './migrations.js';
import { Connection } from './postgres.js';

/** Any number that no one else uses: only one replica migrates at a time. */
const MIGRATION_LOCK = 7_110_001;
const AGAIN_MS = 250;
/** Until the log says what the start waits for. */
const SAY_MS = 2000;
const PATIENCE_SECONDS = 60;
/** Of one statement: building an index on a large table takes its time. */
const STATEMENT_MS = 30 * 60_000;

/**
 * Migrates, one replica at a time. The lock ends with the transaction, however that ends, so it holds behind a pooler
 * that lends its connections by transaction, and a migrator that was killed leaves none.
 * @throws StartupError when another one holds it for too long
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
  let hasSaid = false;
  try {
    await client.connect();
    while (!(await migrateUnlessHeld(client))) {
      const waited = performance.now() - begun;
      if (waited > patienceSeconds * 1000) {
        throw new StartupError(
          `Another gateway has been migrating the database for ${patienceSeconds} seconds; wait until it has started, or end the session that holds advisory lock ${MIGRATION_LOCK}, and start again.`,
        );
      }
      if (waited > SAY_MS && !hasSaid) {
        hasSaid = true;
        new Logger('Database').log('Waiting until another gateway has migrated the database.');
      }
      await wait(AGAIN_MS);
    }
  } finally {
    client.end().catch(() => undefined);
  }
}

async function migrateUnlessHeld(client: Connection): Promise<boolean> {
  const ask = (statement: string, values?: unknown[]) =>
    client.query<Record<string, unknown>>(statement, values);
  // A migrator that is cut off must not keep its locks, and one that waits for a table must not hold others up for long.
  await ask(
    `BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '${PATIENCE_SECONDS}s'; SET LOCAL idle_in_transaction_session_timeout = '${PATIENCE_SECONDS}s'`,
  );
  const { rows } = await ask('SELECT pg_try_advisory_xact_lock($1) AS held', [MIGRATION_LOCK]);
  const isOurs = rows[0]?.['held'] === true;
  if (isOurs) await applyMigrations(ask);
  await ask(isOurs ? 'COMMIT' : 'ROLLBACK');
  return isOurs;
}
