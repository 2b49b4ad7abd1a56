import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import { Logger } from '@nestjs/common';
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres';
import { migrate as migratePg } from 'drizzle-orm/node-postgres/migrator';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { drizzle as drizzlePGlite } from 'drizzle-orm/pglite';
import { migrate as migratePGlite } from 'drizzle-orm/pglite/migrator';
import pg from 'pg';
import type { Settings } from '../settings.js';
import { StartupError } from '../startup-error.js';
import { holdDataFolder } from './data-folder.js';
import * as schema from './schema.js';

/** What runs queries: the embedded PGlite and PostgreSQL alike. */
export type Database = PgDatabase<PgQueryResultHKT, typeof schema>;
/** The same, inside a transaction. */
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0];
/** Whoever only queries takes either. */
export type Queries = Pick<Database, 'select' | 'selectDistinct' | 'insert' | 'update' | 'delete' | '$count'>;

export interface OpenDatabase {
  readonly database: Database;
  readonly close: () => Promise<void>;
}

const migrations = { migrationsFolder: fileURLToPath(new URL('../../migrations', import.meta.url)) };
/** Any number that no one else uses: only one replica migrates at a time. */
const MIGRATION_LOCK = 7_110_001;

/** PostgreSQL has a process for this; the embedded one would grow without it, and choose its indexes blindly. */
const UPKEEP_MS = 5 * 60_000;

/** Opens and migrates the database. @throws StartupError */
export async function openDatabase(settings: Settings): Promise<OpenDatabase> {
  return settings.DATABASE_URL === undefined
    ? openEmbedded(settings.DATA_DIR)
    : openPostgres(settings.DATABASE_URL, settings.DATABASE_POOL_SIZE);
}

async function openEmbedded(folder: string): Promise<OpenDatabase> {
  const giveBack = holdDataFolder(folder);
  try {
    const client = await PGlite.create(join(folder, 'postgres'), { extensions: { pg_trgm } });
    const database = drizzlePGlite({ client, schema });
    await migratePGlite(database, migrations);
    await client.exec('ANALYZE');
    const upkeep = setInterval(() => {
      client.exec('VACUUM ANALYZE').catch((error: unknown) => {
        new Logger('Database').warn(`The upkeep of the embedded database failed: ${sentence(error)}`);
      });
    }, UPKEEP_MS);
    return {
      database,
      close: async () => {
        clearInterval(upkeep);
        await client.close();
        giveBack();
      },
    };
  } catch (error) {
    giveBack();
    throw new StartupError(
      `The embedded database in ${folder} cannot be opened (${sentence(error)}); restore it from a backup, or set DATA_DIR to another folder.`,
    );
  }
}

async function openPostgres(url: string, poolSize: number): Promise<OpenDatabase> {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: 5000,
    application_name: 'crossfade',
  });
  // Without a listener, an idle connection that breaks ends the process.
  pool.on('error', (error) => new Logger('Database').warn(`A connection was lost: ${error.message}`));
  try {
    const client = await pool.connect();
    try {
      await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
      await migratePg(drizzlePg({ client, schema }), migrations);
      await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    } finally {
      client.release();
    }
  } catch (error) {
    await pool.end();
    throw new StartupError(
      `The database at ${withoutSecrets(url)} cannot be used (${sentence(error)}); check DATABASE_URL and that PostgreSQL 15 or later runs there.`,
    );
  }
  return { database: drizzlePg({ client: pool, schema }), close: () => pool.end() };
}

function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return 'DATABASE_URL';
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}${port && `:${port}`}${pathname}`;
}

function sentence(error: unknown): string {
  const causes = error instanceof AggregateError ? error.errors : [error];
  const deepest = causes.map((one) => (one instanceof Error && one.cause instanceof Error ? one.cause : one));
  return deepest.map((one) => (one instanceof Error ? one.message : String(one))).join('; ');
}
