import { SseProbe, eventually } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  TcpProxy,
  newDatabase,
  runSql,
  sampleToken,
  startSql,
} from '@crossfade/test-hosts';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';

const POOL = 4;
/** How long a request may take that needs none of the locked connections. */
const AT_ONCE_MS = 1000;

let url: string;
let proxy: TcpProxy;
let host: GatewayHost;
let client: ApiClient;
let admin: ApiClient;
beforeAll(async () => {
  url = newDatabase(inject('postgresPort'));
  proxy = await TcpProxy.start(inject('postgresPort'));
  host = await GatewayHost.start({
    databaseUrl: proxy.through(url),
    env: {
      DATABASE_POOL_SIZE: String(POOL),
      DATABASE_STATEMENT_TIMEOUT_SECONDS: '2',
      DATABASE_LOCK_TIMEOUT_SECONDS: '1',
    },
  });
  client = new ApiClient(host.url, sampleToken.storefront);
  admin = await ApiClient.login(host.url, 'admin@crossfade.test');
  await client.json('POST', '/events', { type: 'error', message: 'the first' });
});
afterAll(async () => {
  await host.stop('SIGKILL');
  await proxy.stop();
});

const waiting = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crossfade' AND datname = current_database() AND wait_event_type = 'Lock'`;
const post = (message = 'one more') => client.call('POST', '/events', { type: 'error', message });
const someWait = (least: number) =>
  eventually('requests that wait', () => Number(runSql(url, waiting)) >= least || undefined);

it('reserves connections: while locks block all others, streams open, and probes and tokens are answered', async () => {
  const end = startSql(url, 'LOCK TABLE stacks; SELECT pg_sleep(8)');
  await eventually(
    'lock',
    () => runSql(url, `SELECT 1 FROM pg_locks WHERE relation = 'stacks'::regclass AND granted`) || undefined,
  );
  // Batches leave some of the connections to other work; readers take those.
  const read = () => admin.call('GET', `/stacks/${crypto.randomUUID()}`);
  const posts = Promise.all(Array.from({ length: 2 * POOL }, (_, index) => (index % 2 ? post() : read())));
  await someWait(POOL - 1);
  const begun = Date.now();
  const stream = await SseProbe.open(host.url, { token: admin.token });
  await stream.message('Connected');
  expect((await fetch(`${host.url}/health/ready`)).status).toBe(200);
  expect((await new ApiClient(host.url, 'no-such-token').call('GET', '/users/me')).status).toBe(401);
  expect(Date.now() - begun).toBeLessThan(AT_ONCE_MS);
  const answers = await posts;
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
  for (const { headers } of answers) expect(headers.get('retry-after')).toMatch(/^[2-5]$/);
  await end();
  expect((await post()).status).toBe(202);
  stream.close();
});

it('answers 503 to a transaction whose backend is ended while it waits for a row, and keeps running', async () => {
  const stream = await SseProbe.open(host.url, { token: admin.token });
  await stream.message('Connected');
  const end = startSql(url, 'BEGIN; SELECT 1 FROM stacks FOR UPDATE; SELECT pg_sleep(8)');
  await eventually(
    'lock',
    () =>
      runSql(
        url,
        `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(8)' AND wait_event = 'PgSleep'`,
      ) || undefined,
  );
  const answer = post('the first');
  await someWait(1);
  runSql(
    url,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'crossfade' AND datname = current_database()`,
  );
  const { status } = await answer;
  await end();
  expect(status).toBe(503);
  expect((await post('the first')).status).toBe(202);
  expect((await stream.message('StackChanged')).type).toBe('StackChanged');
  stream.close();
});

it('says that the outcome is unknown when a connection is lost at the commit, and publishes no change', async () => {
  runSql(
    url,
    `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
     CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()`,
  );
  const stream = await SseProbe.open(host.url, { token: admin.token });
  await stream.message('Connected');
  const answer = post('at the commit');
  const pid = await eventually(
    'commit',
    () =>
      runSql(url, `SELECT pid FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'`) ||
      undefined,
  );
  runSql(url, `SELECT pg_terminate_backend(${pid})`);
  const response = await answer;
  expect(response.status).toBe(503);
  expect(((await response.json()) as { detail: string }).detail).toContain('may or may not have been stored');
  runSql(url, 'DROP TRIGGER slow ON events');
  expect((await post('after it')).status).toBe(202);
  await stream.message('StackChanged');
  expect(stream.received.filter(({ type }) => type === 'StackChanged')).toHaveLength(1);
  stream.close();
});

it('never reuses a connection that broke at its BEGIN or ROLLBACK, and says why the work failed', async () => {
  const ofNoStack = () => admin.call('POST', `/stacks/${crypto.randomUUID()}/mark-critical`);
  for (const { cutsAt, send, status } of [
    { cutsAt: 'BEGIN', send: () => post('not begun'), status: 503 },
    { cutsAt: 'ROLLBACK', send: ofNoStack, status: 404 },
  ]) {
    proxy.cutsAt = cutsAt;
    const answers = await Promise.all(Array.from({ length: 2 * POOL }, send));
    proxy.cutsAt = undefined;
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([status]));
    const after = await Promise.all(Array.from({ length: 2 * POOL }, () => post(`after ${cutsAt}`)));
    expect(new Set(after.map((answer) => answer.status))).toEqual(new Set([202]));
  }
});

it('leaves no query waiting on the server for a request that was given up', async () => {
  runSql(url, 'UPDATE tokens SET last_used_utc = NULL');
  const end = startSql(url, 'BEGIN; SELECT 1 FROM tokens FOR UPDATE; SELECT pg_sleep(10)');
  await eventually(
    'lock',
    () =>
      runSql(
        url,
        `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(10)' AND wait_event = 'PgSleep'`,
      ) || undefined,
  );
  // Failing to record the date of use does not refuse anybody.
  expect((await admin.call('GET', '/users/me')).status).toBe(200);
  expect(Number(runSql(url, waiting))).toBe(0);
  await end();
});

it('has its connections back after all of it', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => post()));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  const open = Number(
    runSql(
      url,
      `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crossfade' AND datname = current_database()`,
    ),
  );
  expect(open).toBeLessThanOrEqual(POOL);
});
