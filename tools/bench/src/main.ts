import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import {
  GatewayHost,
  OwnFolder,
  PostgresHost,
  RedisHost,
  freePort,
  newDatabase,
  runSql,
} from '@crossfade/test-hosts';
import { before, withReplicas } from './contestants.ts';
import { measureFanOut, measureFewOfMany, measureIdle } from './fan-out.ts';
import { measureIngest } from './ingest.ts';
import { measureLargeBatches } from './large-batches.ts';
import { fillLists, measureLists } from './lists.ts';
import { measureRetained } from './retained.ts';
import { measureRevocation } from './revocation.ts';
import { measureScreens } from './screens.ts';
import { measureSlowReader } from './slow-reader.ts';
import { measureUnconcerned } from './unconcerned.ts';

/** How long each load runs, in seconds. Shorter runs are noisier. */
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 10);
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
/** Samples of the screens, and of each list. */
const SAMPLES = Number(process.env['BENCH_SAMPLES'] ?? 30);
/** Streams beside the one that never reads, and the messages they get. */
const STREAMS = Number(process.env['BENCH_STREAMS'] ?? 1000);
const MESSAGES = Number(process.env['BENCH_MESSAGES'] ?? 10_000);
/** Streams that get nothing, for their memory. */
const IDLE = Number(process.env['BENCH_IDLE'] ?? 15_000);
/** Events of a large batch: the most that a request may carry. */
const BATCH = Number(process.env['BENCH_BATCH'] ?? 50_000);
const STACKS = Number(process.env['BENCH_STACKS'] ?? 100_000);

const UNTHROTTLED = {
  API_THROTTLE_PER_MINUTE: '0',
  INGEST_THROTTLE_PER_MINUTE: '0',
  INGEST_EVENTS_PER_MINUTE: '0',
  // Twelve times as many may be opened in a minute.
  PUSH_MAX_CONNECTIONS_PER_USER: '1000',
};
const MANY_STREAMS = {
  PUSH_MAX_CONNECTIONS_PER_USER: String(STREAMS),
  PUSH_MAX_CONNECTIONS_PER_ORGANIZATION: String(STREAMS),
  PUSH_STALL_SECONDS: '5',
};

/** The measurements. `--only NAME` runs one of them. */
const measurements: Record<string, () => Promise<object>> = {
  databases: measureDatabases,
  delivery: measureDelivery,
  'fan-out': measureAllFanOut,
  ...(withReplicas ? { replicas: measureReplicas, retained: measureAllRetained } : {}),
};
const argument = (name: string): string | undefined =>
  process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined;
const only = argument('--only');
if (only !== undefined && !(only in measurements)) {
  console.error(`--only takes one of ${Object.keys(measurements).join(', ')}, not ${only}.`);
  process.exit(1);
}

const postgres = await PostgresHost.start({ durable: true });
const results: Record<string, object> = {};
console.log(`${cpus().length} cores, load on the same machine`);
for (const [name, measure] of Object.entries(measurements)) {
  if (only === undefined || only === name) results[name] = await measure();
}
await postgres.stop();
const file = argument('--json');
if (file !== undefined) writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);

/** What depends on the database is measured on each. */
async function measureDatabases(): Promise<object> {
  const found: Record<string, object> = {};
  for (const name of ['PGlite', 'PostgreSQL'] as const) {
    const many = newStore(name);
    found[name] = {
      ingest: table(
        `${name}: ingest`,
        await withGateway(newStore(name), ({ url }) => measureIngest([{ name, url }], SECONDS, ROUNDS)),
      ),
      largeBatches: table(
        `${name}: batches of ${BATCH.toLocaleString('en')} events`,
        await measureBatches(newStore(name)),
      ),
      screens: table(
        `${name}: from a POST to the screen`,
        await withGateway(newStore(name), ({ url }) => measureScreens(url, SAMPLES)),
      ),
      // One gateway fills the database and the next reads it: PostgreSQL plans well once it has analyzed its tables.
      lists: table(
        `${name}: lists`,
        await withGateway(many, async ({ url }) => fillLists(url, STACKS)).then(() => {
          if (many['DATABASE_URL'] !== undefined) runSql(many['DATABASE_URL'], 'VACUUM ANALYZE');
          return withGateway(many, ({ url }) => measureLists(url, SAMPLES));
        }),
      ),
    };
  }
  return found;
}

async function measureBatches(store: Record<string, string>): Promise<object> {
  const metricsPort = await freePort();
  return withGateway({ ...store, METRICS_PORT: String(metricsPort) }, async ({ url }) => [
    await measureLargeBatches(url, metricsPort, BATCH),
  ]);
}

async function measureDelivery(): Promise<object> {
  const slowReader = await withGateway({ ...newStore('PostgreSQL'), ...MANY_STREAMS }, (host) =>
    measureSlowReader(host, { streams: STREAMS, messages: MESSAGES }),
  );
  const revocation = await withGateway(newStore('PostgreSQL'), ({ url }) => measureRevocation(url, SAMPLES));
  return {
    slowReader: table('One reader that never reads', slowReader),
    revocation: table('A token that is revoked', revocation),
  };
}

async function measureAllFanOut(): Promise<object> {
  const size = { streams: STREAMS, seconds: SECONDS, rounds: ROUNDS, idle: IDLE };
  return {
    fanOut: table('Fan-out', await measureFanOut(size)),
    fewOfMany: table('A message for few of many', await measureFewOfMany(size)),
    idle: table('Idle streams', await measureIdle(size)),
  };
}

/** What a shared log costs one gateway, then two replicas on one PostgreSQL and one Redis. */
function measureReplicas(): Promise<object> {
  return withRedis((redis) => {
    const store = { ...newStore('PostgreSQL'), REDIS_URL: redis.url };
    return withGateway(store, async (one) => {
      const measured = [{ name: 'with Redis', url: one.url }];
      const ingest = await withGateway(newStore('PostgreSQL'), ({ url }) => {
        measured.unshift({ name: 'without Redis', url });
        if (before === undefined) return measureIngest(measured, SECONDS, ROUNDS);
        return withGateway(
          newStore('PostgreSQL'),
          (host) => measureIngest([{ name: 'before', url: host.url }, ...measured], SECONDS, ROUNDS),
          before,
        );
      });
      table('Ingest with the outbox of everything', ingest);
      return withGateway(store, async (other) => ({
        ingest,
        revocation: table(
          'A token that is revoked on one replica, its stream on another',
          await measureRevocation(one.url, SAMPLES, other.url),
        ),
        screens: table(
          'From a POST to one replica to the screen of another',
          await measureScreens(other.url, SAMPLES, one.url),
        ),
        unconcerned: table(
          'A record that concerns nobody on a replica',
          await measureUnconcerned(one, other, SECONDS),
        ),
      }));
    });
  });
}

function measureAllRetained(): Promise<object> {
  return withRedis((redis) => {
    const databaseUrl = newDatabase(postgres.port);
    return withGateway({ DATABASE_URL: databaseUrl, REDIS_URL: redis.url }, async (host) =>
      table('What is retained', await measureRetained(host, redis, databaseUrl)),
    );
  });
}

function newStore(database: 'PGlite' | 'PostgreSQL'): Record<string, string> {
  return database === 'PGlite'
    ? { DATA_DIR: new OwnFolder('bench').path }
    : { DATABASE_URL: newDatabase(postgres.port) };
}

function table<Rows extends object>(title: string, rows: Rows): Rows {
  console.log(`\n${title}`);
  console.table(rows);
  return rows;
}

async function withGateway<T>(
  store: Record<string, string>,
  measure: (host: GatewayHost) => Promise<T>,
  checkout?: string,
): Promise<T> {
  const host = await GatewayHost.start({ checkout, env: { ...UNTHROTTLED, ...store } });
  try {
    return await measure(host);
  } finally {
    await host.stop();
  }
}

/** Its persistence is that of docs/operations/redis.md. */
async function withRedis<T>(measure: (redis: RedisHost) => Promise<T>): Promise<T> {
  const redis = await RedisHost.start({ settings: ['--appendfsync', 'everysec'] });
  try {
    return await measure(redis);
  } finally {
    await redis.stop();
  }
}
