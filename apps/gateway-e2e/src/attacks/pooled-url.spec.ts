import { randomUUID } from 'node:crypto';
import {
  ApiClient,
  GatewayHost,
  PgBouncerHost,
  TcpProxy,
  newDatabase,
  runSql,
  sampleToken,
  startSql,
} from '@crossfade/test-hosts';
import { SseProbe, eventually } from '@crossfade/protocol/testing';
import { insertRow, notification, stale, unappended } from '../outbox-rows.ts';
import { IngestLoad } from './ingest-load.ts';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';

/** Messages that were committed by nobody who could append them. */
const LEFT = 12;
const MIGRATION_LOCK = 7_110_001;
/** `ATTACK_FULL=1`: how often very many queries are given up at once. */
const ROUNDS = process.env['ATTACK_FULL'] === '1' ? 20 : 2;
/** More than PgBouncer's 20 connections to the server: some wait in it when they are given up. */
const CONNECTIONS = 48;

let bouncer: PgBouncerHost;
beforeAll(async () => {
  bouncer = await PgBouncerHost.start(inject('postgresPort'));
});
afterAll(() => bouncer.stop());

const works = async (host: GatewayHost): Promise<void> => {
  await new ApiClient(host.url, sampleToken.storefront).json('POST', '/events', {
    message: 'through a pooler',
  });
};

/** Whether the lock is taken. */
const migrationLock = (url: string): string | undefined =>
  runSql(
    url,
    `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = ${MIGRATION_LOCK}`,
  ) || undefined;

it('two replicas start at once on an empty database behind a pooler, and two more while it is busy; nothing is left in the outbox, or twice in the log', async () => {
  const url = newDatabase(inject('postgresPort'));
  const env = { REDIS_PREFIX: `crossfade-${randomUUID()}` };
  const options = { databaseUrl: bouncer.through(url), redisUrl: inject('redisUrl'), env };
  const first = await Promise.all([1, 2].map(() => GatewayHost.start(options)));
  for (const host of first) await works(host);
  // Clients share its server connections now: a session lock would stay with one of them.
  const load = new IngestLoad(first[0]?.url ?? '');
  const later = [await GatewayHost.start(options), await GatewayHost.start(options)];
  for (const host of later) await works(host);
  const [other = later[0]] = later;
  const { token } = await ApiClient.login(other?.url ?? '', 'admin@crossfade.test');
  const probe = await SseProbe.open(other?.url ?? '', { token, query: { client: 'test/1' } });
  await probe.message('Connected');
  const texts = Array.from({ length: LEFT }, (_, index) => `left ${index}`);
  for (const text of texts) insertRow(url, notification(text), true);
  insertRow(url, [stale('left')], false);
  const heard = () =>
    probe.received.flatMap(({ type, message }) =>
      type === 'ReleaseNotification' ? [(message as { message: string }).message] : [],
    );
  await eventually('what nobody appended', () => heard().length >= LEFT || undefined, 20_000);
  await load.stop();
  expect(load.refused).toEqual({});
  await eventually('an empty outbox', () => unappended(url) === 0 || undefined, 20_000);
  expect(heard()).toEqual(texts);
  probe.close();
  expect(runSql(url, 'SELECT count(DISTINCT hash) = count(*) FROM drizzle.__drizzle_migrations')).toBe('t\n');
  // The relay holds one for a moment, whenever it looks at rows; nobody holds one when all are gone.
  await eventually(
    'the end of all locks',
    () =>
      runSql(
        url,
        `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      ) === '0\n' || undefined,
  );
  await Promise.all([...first, ...later].map((host) => host.stop('SIGKILL')));
});

it('a migrator that is killed leaves no lock', async () => {
  const url = newDatabase(inject('postgresPort'));
  // The first migration waits for this one's table, so its transaction is still open when it is killed.
  const end = startSql(url, 'CREATE TABLE users (id int); SELECT pg_sleep(20)');
  const killed = GatewayHost.spawn({ databaseUrl: bouncer.through(url) });
  await eventually('lock of a migrator', () => migrationLock(url), 20_000);
  await killed.stop('SIGKILL');
  await end();
  const next = await GatewayHost.start({ databaseUrl: bouncer.through(url) });
  await works(next);
  await next.stop('SIGKILL');
});

it('a start that waits for one of an earlier version, which has the same lock by its session, logs that and then continues', async () => {
  const url = newDatabase(inject('postgresPort'));
  const end = startSql(url, `SELECT pg_advisory_lock(${MIGRATION_LOCK}), pg_sleep(60)`);
  await eventually('lock of an earlier version', () => migrationLock(url));
  const waiting = GatewayHost.spawn({ databaseUrl: bouncer.through(url), env: { SAMPLE_DATA: 'true' } });
  await waiting.prints('Waiting for another gateway to migrate the database.');
  expect(waiting.output).not.toContain('Listening on');
  await end();
  await waiting.listens();
  await works(waiting);
  await waiting.stop('SIGKILL');
});

it(`a pooler survives very many queries that are given up at once, ${ROUNDS} times`, async () => {
  const url = newDatabase(inject('postgresPort'));
  const proxy = await TcpProxy.start(bouncer.port);
  const host = await GatewayHost.start({
    databaseUrl: proxy.through(url),
    env: {
      DATABASE_POOL_SIZE: String(CONNECTIONS),
      DATABASE_STATEMENT_TIMEOUT_SECONDS: '2',
      DATABASE_LOCK_TIMEOUT_SECONDS: '1',
      API_THROTTLE_PER_MINUTE: '0',
    },
  });
  const admin = await ApiClient.login(host.url, 'admin@crossfade.test');
  const [organization] = await admin.json<{ id: string }[]>('GET', '/organizations');
  const stacks = `/organizations/${organization?.id}/stacks`;
  const read = async (): Promise<number> => (await admin.call('GET', stacks)).status;
  const readAtOnce = () => Promise.all(Array.from({ length: 3 * CONNECTIONS }, read));
  for (let round = 1; round <= ROUNDS; round += 1) {
    expect(new Set(await readAtOnce())).toEqual(new Set([200]));
    const answers = readAtOnce();
    proxy.pause();
    expect(await answers).toContain(503);
    proxy.mend();
    await eventually('a read', async () => !bouncer.isAlive || (await read()) === 200 || undefined);
    expect(bouncer.isAlive, `round ${round}`).toBe(true);
  }
  await works(host);
  await host.stop('SIGKILL');
  await proxy.stop();
});
