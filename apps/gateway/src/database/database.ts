import type { Meter } from '@opentelemetry/api';
import type { Settings } from '../process/settings.js';
import { StartupError } from '../process/startup-error.js';
import { EmbeddedDatabase } from './embedded.js';
import { migratePostgres } from './migrate-postgres.js';
import { PostgresPool } from './postgres.js';
import type { Database } from './queries.js';

export type { Database, Queries, Transaction } from './queries.js';

export interface OpenDatabase {
  /** For the work of requests. */
  readonly database: Database;
  /** For authentication and push: it has connections of its own, which no slow request can occupy. */
  readonly authentication: Database;
  /** Maintenance for every few minutes, if the database needs any. */
  readonly upkeep: (() => Promise<void>) | undefined;
  observe(meter: Meter): void;
  close(): Promise<void>;
}

/** Every request authenticates first, so authentication must not wait as long as the request's own work. */
const AUTHENTICATION_SECONDS = 3;

/** Opens and migrates the database. @throws StartupError */
export async function openDatabase(settings: Settings): Promise<OpenDatabase> {
  return settings.DATABASE_URL === undefined
    ? openEmbedded(settings)
    : openPostgres(settings.DATABASE_URL, settings);
}

async function openEmbedded({ DATA_DIR, DATA_DIR_RESERVE_MB }: Settings): Promise<OpenDatabase> {
  const embedded = await EmbeddedDatabase.open(DATA_DIR, DATA_DIR_RESERVE_MB);
  const { database } = embedded;
  return {
    database,
    authentication: database,
    upkeep: () => embedded.upkeep(),
    observe: (meter) =>
      meter
        .createObservableGauge('crossfade.gateway.data.free', {
          description: "Free bytes on the embedded database's disk",
          unit: 'By',
        })
        .addCallback((result) => result.observe(embedded.space.free)),
    close: () => embedded.close(),
  };
}

async function openPostgres(url: string, settings: Settings): Promise<OpenDatabase> {
  try {
    await migratePostgres(url);
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(
      `The database at ${withoutSecrets(url)} cannot be used (${sentence(error)}); check DATABASE_URL, and that PostgreSQL 15 or later runs there.`,
    );
  }
  const {
    DATABASE_POOL_SIZE: total,
    DATABASE_STATEMENT_TIMEOUT_SECONDS: statementSeconds,
    DATABASE_LOCK_TIMEOUT_SECONDS: lockSeconds,
  } = settings;
  const kept = Math.max(1, Math.round(total / 4));
  const domain = new PostgresPool({ url, size: total - kept, statementSeconds, lockSeconds });
  const seconds = Math.min(statementSeconds, AUTHENTICATION_SECONDS);
  const authentication = new PostgresPool({
    url,
    size: kept,
    statementSeconds: seconds,
    lockSeconds: Math.min(lockSeconds, seconds),
  });
  return {
    database: domain.database,
    authentication: authentication.database,
    upkeep: undefined,
    observe: (meter) =>
      meter
        .createObservableGauge('crossfade.gateway.database.connections', {
          description: 'Connections to PostgreSQL, and requests that wait for one',
        })
        .addCallback((result) => {
          for (const [pool, { counts }] of Object.entries({ domain, authentication })) {
            for (const [state, count] of Object.entries(counts)) result.observe(count, { pool, state });
          }
        }),
    close: async () => {
      await Promise.all([domain.close(), authentication.close()]);
    },
  };
}

function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return 'DATABASE_URL';
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}${port && `:${port}`}${pathname}`;
}

/** Why the server or the system refused the connection. */
function sentence(error: unknown): string {
  const causes = error instanceof AggregateError ? error.errors : [error];
  return causes.map((one) => (one instanceof Error ? one.message : String(one))).join('; ');
}
