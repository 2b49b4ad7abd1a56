import { SseProbe, eventually, type Probe } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  RedisClusterHost,
  RedisHost,
  freePort,
  newDatabase,
  sampleToken,
} from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { unappended } from './outbox-rows.ts';
import { transports } from './transports.ts';

const PER_MINUTE = 60;
const EVENTS_PER_MINUTE = 20;
/** A level of the log: what is above it is a warning or an error. */
const INFO = 30;
/** Of each kind, that each replica makes while Redis is full. */
const CHANGES = 3;
/** Of Redis, bytes. */
const MEMORY = 32 * 1024 * 1024;

let databaseUrl: string;
let redis: RedisHost;
let one: GatewayHost;
let other: GatewayHost;
let metricsUrl: string;
beforeAll(async () => {
  redis = await RedisHost.start({
    prefix: 'e2e',
    settings: ['--maxmemory', String(MEMORY), '--maxmemory-policy', 'noeviction'],
  });
  databaseUrl = newDatabase(inject('postgresPort'));
  const metricsPort = await freePort();
  metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
  const env = {
    REDIS_PREFIX: 'e2e',
    LOG_LEVEL: 'info',
    TRUST_PROXY: '1',
    API_THROTTLE_PER_MINUTE: String(PER_MINUTE),
    INGEST_EVENTS_PER_MINUTE: String(EVENTS_PER_MINUTE),
  };
  const start = (more: Record<string, string>) =>
    GatewayHost.start({ databaseUrl, redisUrl: redis.url, env: { ...env, ...more } });
  one = await start({ REPLICA_NAME: 'replica-one', METRICS_PORT: String(metricsPort) });
  other = await start({ REPLICA_NAME: 'replica-two' });
});
afterAll(async () => {
  await Promise.all([one.stop('SIGKILL'), other.stop('SIGKILL')]);
  await redis.stop();
});

const either = (index: number): GatewayHost => (index % 2 === 0 ? one : other);
const ready = async (host: GatewayHost) => {
  const response = await fetch(`${host.url}/health/ready`);
  return { status: response.status, body: (await response.json()) as { checks: { redis?: string } } };
};
const metric = async (name: string): Promise<number> => {
  const text = await (await fetch(metricsUrl)).text();
  return Number(new RegExp(`^${name}\\{[^}]*\\} (.+)$`, 'm').exec(text)?.[1]);
};
let addresses = 0;
/** Of a client that nobody has heard of. */
const stranger = () => ({ 'X-Forwarded-For': `192.0.2.${(addresses += 1)}` });
const ask = (host: GatewayHost, headers: Record<string, string>) =>
  fetch(`${host.url}/api/v2/users/me`, { headers });

describe('two replicas', () => {
  it('count the requests of a caller together', async () => {
    const headers = stranger();
    const answers = [];
    for (let index = 0; index < PER_MINUTE; index += 1) answers.push(await ask(either(index), headers));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    expect(answers.map((answer) => Number(answer.headers.get('x-ratelimit-remaining')))).toEqual(
      Array.from({ length: PER_MINUTE }, (_, index) => PER_MINUTE - 1 - index),
    );
    for (const host of [one, other]) {
      const refused = await ask(host, headers);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }
  });

  it('count failed logins together', async () => {
    const login = (host: GatewayHost, password: string, headers: Record<string, string>) =>
      new ApiClient(host.url, undefined).call(
        'POST',
        '/auth/login',
        { email: 'member@crossfade.test', password },
        headers,
      );
    const headers = stranger();
    for (let index = 0; index < 10; index += 1)
      expect((await login(either(index), 'wrong', headers)).status).toBe(401);
    expect((await login(one, 'tester', headers)).status).toBe(429);
    expect((await login(other, 'tester', headers)).status).toBe(429);
    expect((await login(other, 'tester', stranger())).status).toBe(200);
  });

  it('count the events of batches together, all or none', async () => {
    const send = async (host: GatewayHost, many: number) => {
      const events = Array.from({ length: many }, () => ({ type: 'error', message: 'x' }));
      return (await new ApiClient(host.url, sampleToken.rocket).call('POST', '/events', events)).status;
    };
    expect(await send(one, 12)).toBe(202);
    expect(await send(other, 12)).toBe(429);
    const both = await Promise.all([send(one, 8), send(other, 8)]);
    expect(both.sort()).toEqual([202, 429]);
  });

  it('count the bad credentials of streams together', async () => {
    const headers = stranger();
    const open = async (index: number) => {
      const probe = await SseProbe.open(either(index).url, { token: `bad-${index}`, headers });
      probe.close();
      return probe.response.status;
    };
    const statuses: number[] = [];
    for (let index = 0; index < 130; index += 1) statuses.push(await open(index));
    expect(statuses.slice(0, 120)).toEqual(Array(120).fill(401));
    expect(statuses.slice(120)).toEqual(Array(10).fill(429));
  });

  it('have names in logs and metrics', async () => {
    for (const [host, name] of [
      [one, 'replica-one'],
      [other, 'replica-two'],
    ] as const) {
      const lines = host.output.split('\n').filter(Boolean);
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) expect(JSON.parse(line)).toMatchObject({ replica: name });
      expect(host.output).toContain(`Listening on ${host.url} as ${name}`);
    }
    const series = (await (await fetch(metricsUrl)).text()).split('\n').filter((line) => /^[a-z]/.test(line));
    expect(series.length).toBeGreaterThan(10);
    for (const line of series) expect(line).toContain('replica="replica-one"');
  });

  it('keep no secret and nothing that people typed in the names of keys', async () => {
    const keys = await redis.run('KEYS', '*');
    expect(keys).toContain('e2e:limit:api:');
    expect(keys).toContain('e2e:limit:failed-logins-of-account:');
    expect(keys).not.toMatch(/demo-|bad-|member@/);
  });
});

/** The announcements and new projects that a client has heard of. */
const changesIn = (probe: Probe): Set<string> =>
  new Set(
    probe.received.flatMap(({ type, message }) =>
      type === 'ReleaseNotification' || type === 'ProjectChanged' ? [JSON.stringify(message)] : [],
    ),
  );

describe('a full Redis', () => {
  it('keeps nobody out: messages wait in the outbox, one line says so, and all are delivered once there is room', async () => {
    const admin = await ApiClient.login(one.url, 'admin@crossfade.test');
    const { token } = admin;
    const opened: Probe[] = [];
    const streamsOfBoth = async () => {
      for (const host of [one, other]) {
        for (const { open } of transports) {
          const probe = await open(host.url, { token, query: { client: 'test/1' }, headers: stranger() });
          await probe.message('Connected');
          opened.push(probe);
        }
      }
    };
    await streamsOfBoth();
    const before = [one, other].map(({ output }) => output.length);
    // A write is refused from the moment that more than the most is in use.
    await redis.run('SETRANGE', 'full', String(MEMORY), 'x');
    expect(await redis.run('SET', 'one-more', 'x')).toContain('OOM');
    await streamsOfBoth();
    const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
    const organization = organizations.find(({ name }) => name === 'Acme')?.id;
    for (const host of [one, other]) {
      const api = new ApiClient(host.url, token);
      for (let round = 1; round <= CHANGES; round += 1) {
        const value = `full ${host.pid} ${round}`;
        const announced = await api.call(
          'POST',
          '/notifications/release?critical=false',
          { value },
          stranger(),
        );
        const created = await api.call(
          'POST',
          '/projects',
          { name: value, organization_id: organization },
          stranger(),
        );
        expect([announced.status, created.status]).toEqual([200, 201]);
      }
    }
    const depth = () => metric('crossfade_gateway_outbox_depth');
    await eventually('the outbox in the metrics', async () => (await depth()) >= 4 * CHANGES || undefined);
    // Long enough for each replica to have tried to relay them.
    await eventually(
      'their age',
      async () => (await metric('crossfade_gateway_outbox_age')) > 3 || undefined,
    );
    expect(unappended(databaseUrl)).toBe(await depth());
    expect(await ready(one)).toMatchObject({ status: 200, body: { checks: { redis: 'ok' } } });
    for (const [index, { output }] of [one, other].entries()) {
      const lines = output.slice(before[index]).split('\n').filter(Boolean);
      const warnings = lines
        .map((line) => JSON.parse(line) as { level: number; msg: string })
        .filter(({ level }) => level > INFO);
      expect(warnings.map(({ msg }) => msg)).toEqual([
        'The log takes no messages, so they stay in the outbox until it does: Redis has used up its maxmemory, and takes nothing more (OOM).',
      ]);
    }
    await redis.run('DEL', 'full');
    await eventually('an empty outbox', async () => (await depth()) === 0 || undefined, 20_000);
    for (const probe of opened) {
      await eventually('every message', () => changesIn(probe).size === 4 * CHANGES || undefined);
      probe.close();
    }
  });
});

describe('a pause of Redis', () => {
  it('is reported, and no request waits for it or fails', async () => {
    expect(await ready(one)).toMatchObject({ status: 200, body: { status: 'ok', checks: { redis: 'ok' } } });
    redis.pause();
    // Also by a replica that has not asked Redis for anything since.
    expect((await ready(other)).body.checks.redis).toBe('unavailable');
    const headers = stranger();
    const delays: number[] = [];
    for (let index = 0; index < 30; index += 1) {
      const since = performance.now();
      expect((await ask(one, headers)).status).toBe(401);
      delays.push(performance.now() - since);
    }
    // The first of them waits until the deadline, and the others do not ask Redis.
    expect(Math.max(...delays)).toBeLessThan(1000);
    expect(delays.filter((delay) => delay > 200)).toHaveLength(1);
    expect(await ready(one)).toMatchObject({
      status: 200,
      body: { status: 'ok', checks: { redis: 'unavailable' } },
    });
    await eventually('a line about it', () => / does not answer\./.test(one.output) || undefined);
    redis.resume();
    await eventually('Redis', async () => (await ready(one)).body.checks.redis === 'ok' || undefined, 20_000);
    const first = await ask(one, stranger());
    expect(Number(first.headers.get('x-ratelimit-remaining'))).toBe(PER_MINUTE - 1);
  });

  it('does not end a gateway, nor does its loss', async () => {
    await redis.kill();
    await eventually(
      'the loss',
      async () => (await ready(other)).body.checks.redis === 'unavailable' || undefined,
    );
    expect((await ask(other, stranger())).status).toBe(401);
    await eventually(
      'a line about it',
      () => /While keeping a connection to Redis: Redis at 127\.0\.0\.1:\d+ /.test(other.output) || undefined,
    );
    await redis.start('lost');
    for (const host of [one, other]) {
      await eventually(
        'Redis',
        async () => (await ready(host)).body.checks.redis === 'ok' || undefined,
        20_000,
      );
    }
    const headers = stranger();
    await ask(one, headers);
    expect(Number((await ask(other, headers)).headers.get('x-ratelimit-remaining'))).toBe(PER_MINUTE - 2);
    expect(one.output + other.output).not.toContain('of-redis-in-tests');
  });
});

it('is reached by TLS, with the authority of its certificate', async () => {
  const own = await RedisHost.start({ tls: true });
  const databaseUrl = newDatabase(inject('postgresPort'));
  const env = { NODE_EXTRA_CA_CERTS: own.authority };
  const host = await GatewayHost.start({ databaseUrl, redisUrl: own.url, env });
  expect((await ready(host)).body.checks.redis).toBe('ok');
  await host.stop();
  const refused = GatewayHost.spawn({ databaseUrl, redisUrl: own.url });
  expect(await refused.exited()).toBe(1);
  expect(refused.output).toContain('name its authority in NODE_EXTRA_CA_CERTS');
  await own.stop();
});

it('may be a Cluster of three: replicas share what they need, and limits are on all nodes', async () => {
  const cluster = await RedisClusterHost.start();
  const own = newDatabase(inject('postgresPort'));
  const env = { TRUST_PROXY: '1', PUSH_MAX_CONNECTIONS_PER_USER: '2' };
  // Three servers and sixteen connections within five seconds are much for a busy machine. An orchestrator would repeat it, too.
  const start = () =>
    eventually(
      'a gateway',
      () => GatewayHost.start({ databaseUrl: own, redisUrl: cluster.url, env }).catch(() => undefined),
      180_000,
    );
  const [here, there] = [await start(), await start()];
  const replicas = [here, there];
  expect((await ready(here)).body.checks.redis).toBe('ok');
  const { token } = await ApiClient.login(here.url, 'admin@crossfade.test');
  const open = (host: GatewayHost) => SseProbe.open(host.url, { token });
  const streams = [await open(here), await open(there)];
  expect((await open(here)).response.status).toBe(429);
  for (const host of replicas) {
    const value = `by ${host.pid}`;
    await new ApiClient(host.url, token).json('POST', '/notifications/release?critical=false', { value });
    for (const stream of streams) {
      await stream.message('ReleaseNotification', ({ message }) => message === value);
    }
  }
  await eventually('limits on each node', async () => {
    await ask(here, stranger());
    const found = await Promise.all(cluster.masters.map((master) => master.run('KEYS', 'crossfade:limit:*')));
    return found.every((keys) => keys !== '') || undefined;
  });
  for (const stream of streams) stream.close();
  await Promise.all(replicas.map((host) => host.stop()));
  await cluster.stop();
});

describe('a start with a Redis that cannot be used', () => {
  const failure = async (redisUrl: string) => {
    const databaseUrl = newDatabase(inject('postgresPort'));
    const host = GatewayHost.spawn({ databaseUrl, redisUrl, env: { LOG_LEVEL: 'silent' } });
    const code = await host.exited();
    return { code, sentence: host.output };
  };
  const oneSentence = /^Redis [^\n]+\. See REDIS_URL\.\n$/;

  it('says that nothing is there, and not the password', async () => {
    const { code, sentence } = await failure(`redis://someone:secret@127.0.0.1:${await freePort()}`);
    expect(code).toBe(1);
    expect(sentence).toMatch(oneSentence);
    expect(sentence).toContain('cannot be reached (ECONNREFUSED)');
    expect(sentence).not.toContain('secret');
  });

  it('says what the user may not do', async () => {
    // Its keys begin with another prefix.
    const { code, sentence } = await failure(redis.url);
    expect(code).toBe(1);
    expect(sentence).toMatch(oneSentence);
    expect(sentence).toContain('does not allow its user "crossfade" to run any command on our keys');
  });
});
