import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { GatewayHost, OwnFolder, PostgresHost, newDatabase, runSql } from '@crossfade/test-hosts';
import { measureIngest } from './ingest.ts';
import { fillLists, measureLists } from './lists.ts';
import { measureRevocation } from './revocation.ts';
import { measureScreens } from './screens.ts';
import { measureSlowReader } from './slow-reader.ts';

/** How long each load runs, seconds. Shorter is noisier. */
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 10);
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
/** Of the screens, and of each list. */
const SAMPLES = Number(process.env['BENCH_SAMPLES'] ?? 30);
/** Beside the one that never reads, and what passes meanwhile. */
const STREAMS = Number(process.env['BENCH_STREAMS'] ?? 1000);
const MESSAGES = Number(process.env['BENCH_MESSAGES'] ?? 10_000);
const STACKS = Number(process.env['BENCH_STACKS'] ?? 100_000);

const UNTHROTTLED = { API_THROTTLE_PER_MINUTE: '0', INGEST_THROTTLE_PER_MINUTE: '0' };
const MANY_STREAMS = {
  PUSH_MAX_CONNECTIONS_PER_USER: String(STREAMS),
  PUSH_STALL_SECONDS: '5',
};

/** Runs every measurement on each database, each with a gateway of its own, and prints tables; `--json FILE` too. */
const postgres = await PostgresHost.start({ durable: true });
const databases = {
  PGlite: () => ({ DATA_DIR: new OwnFolder('bench').path }),
  PostgreSQL: () => ({ DATABASE_URL: newDatabase(postgres.port) }),
};
const results: Record<string, unknown> = {};
for (const [name, newStore] of Object.entries(databases)) {
  const many = newStore();
  const measured = {
    ingest: await withGateway(newStore(), ({ url }) => measureIngest(url, SECONDS, ROUNDS)),
    screens: await withGateway(newStore(), ({ url }) => measureScreens(url, SAMPLES)),
    // Filled by one gateway and read by the next: a database plans well once it has looked at what it holds.
    lists: await withGateway(many, async ({ url }) => fillLists(url, STACKS)).then(() => {
      if ('DATABASE_URL' in many) runSql(many.DATABASE_URL, 'VACUUM ANALYZE');
      return withGateway(many, ({ url }) => measureLists(url, SAMPLES));
    }),
  };
  results[name] = measured;
  console.log(`\n${name}, ${cpus().length} cores, load on the same machine`);
  console.table(measured.ingest);
  console.table(measured.screens);
  console.table(measured.lists);
}
const slowReader = await withGateway({ ...databases.PostgreSQL(), ...MANY_STREAMS }, (host) =>
  measureSlowReader(host, { streams: STREAMS, messages: MESSAGES }),
);
const revocation = await withGateway(databases.PostgreSQL(), ({ url }) => measureRevocation(url, SAMPLES));
results['delivery'] = { slowReader, revocation };
console.log('\nOne reader that never reads');
console.table(slowReader);
console.log('\nA token that is revoked');
console.table(revocation);
await postgres.stop();

const [, file] = process.argv.slice(process.argv.indexOf('--json'));
if (process.argv.includes('--json') && file !== undefined)
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);

async function withGateway<T>(
  store: Record<string, string>,
  measure: (host: GatewayHost) => Promise<T>,
): Promise<T> {
  const host = await GatewayHost.start({ env: { ...UNTHROTTLED, ...store } });
  try {
    return await measure(host);
  } finally {
    await host.stop();
  }
}
