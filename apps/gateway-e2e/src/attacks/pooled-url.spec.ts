import { setTimeout as wait } from 'node:timers/promises';
import {
  ApiClient,
  GatewayHost,
  PgBouncerHost,
  newDatabase,
  runSql,
  sampleToken,
  startSql,
} from '@crossfade/test-hosts';
import { eventually } from '@crossfade/protocol/testing';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';

const MIGRATION_LOCK = 7_110_001;

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

it('two gateways start at once on an empty database behind a pooler, and a third one later', async () => {
  const url = newDatabase(inject('postgresPort'));
  const databaseUrl = bouncer.through(url);
  const first = await Promise.all([1, 2].map(() => GatewayHost.start({ databaseUrl })));
  for (const host of first) await works(host);
  const third = await GatewayHost.start({ databaseUrl });
  await works(third);
  expect(runSql(url, 'SELECT count(DISTINCT hash) = count(*) FROM drizzle.__drizzle_migrations')).toBe('t\n');
  expect(
    runSql(
      url,
      `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    ),
  ).toBe('0\n');
  await Promise.all([...first, third].map((host) => host.stop('SIGKILL')));
});

it('a migrator that is killed leaves no lock', async () => {
  const url = newDatabase(inject('postgresPort'));
  // The first migration waits for this one's table, so its transaction is still open when it is killed.
  const end = startSql(url, 'CREATE TABLE users (id int); SELECT pg_sleep(20)');
  const killed = GatewayHost.spawn({ databaseUrl: bouncer.through(url) });
  await eventually(
    'lock of a migrator',
    () =>
      runSql(
        url,
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = ${MIGRATION_LOCK}`,
      ) || undefined,
    20_000,
  );
  await killed.stop('SIGKILL');
  await end();
  const next = await GatewayHost.start({ databaseUrl: bouncer.through(url) });
  await works(next);
  await next.stop('SIGKILL');
});

it('a start that waits for another one says so, and goes on when it may', async () => {
  const url = newDatabase(inject('postgresPort'));
  const end = startSql(url, `SELECT pg_advisory_xact_lock(${MIGRATION_LOCK}), pg_sleep(5)`);
  await wait(300);
  const host = await GatewayHost.start({ databaseUrl: bouncer.through(url) });
  expect(host.output).toContain('Waiting until another gateway has migrated the database.');
  await end();
  await host.stop('SIGKILL');
});

it("waits for a gateway of an earlier version, which holds the same lock by its session, and goes on with that one's database", async () => {
  const url = newDatabase(inject('postgresPort'));
  const end = startSql(url, `SELECT pg_advisory_lock(${MIGRATION_LOCK}), pg_sleep(2)`);
  await wait(300);
  const begun = Date.now();
  const host = await GatewayHost.start({ databaseUrl: url });
  expect(Date.now() - begun).toBeGreaterThan(1000);
  await works(host);
  await end();
  await host.stop('SIGKILL');
});
