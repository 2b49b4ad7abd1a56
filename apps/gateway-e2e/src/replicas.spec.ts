import { eventually, SseProbe, WsProbe, type Probe } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  inLetters,
  newDatabase,
  RedisHost,
  sampleToken,
  TcpProxy,
} from '@crossfade/test-hosts';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { transports } from './transports.ts';

const LIMIT = 5;
const REAUTHORIZE_SECONDS = 2;
/** The stated bound of a revocation across replicas is 100 ms; a test allows five times as much. */
const REVOKED_MS = 500;
/** The relay appends within 2 s what another replica left. */
const RELAYED_MS = 10_000;

/** A gateway, and the cable between it and Redis. */
interface Replica {
  readonly host: GatewayHost;
  readonly cable: TcpProxy;
}

let redis: RedisHost;
let databaseUrl: string;
let one: Replica;
let other: Replica;
let admin: ApiClient;
const open: Probe[] = [];

async function start(name: string): Promise<Replica> {
  const cable = await TcpProxy.start(redis.port);
  const host = await GatewayHost.start({
    databaseUrl,
    redisUrl: cable.through(redis.url),
    env: {
      REPLICA_NAME: name,
      API_THROTTLE_PER_MINUTE: '0',
      PUSH_MAX_CONNECTIONS_PER_USER: String(LIMIT),
      PUSH_REAUTHORIZE_SECONDS: String(REAUTHORIZE_SECONDS),
      PUSH_HEARTBEAT_SECONDS: '1',
      PUSH_DRAIN_SECONDS: '2',
    },
  });
  return { host, cable };
}

beforeAll(async () => {
  databaseUrl = newDatabase(inject('postgresPort'));
  redis = await RedisHost.start();
  one = await start('one');
  other = await start('other');
  admin = await ApiClient.login(one.host.url, 'admin@crossfade.test');
});
afterEach(() => {
  for (const probe of open.splice(0)) probe.close();
});
afterAll(async () => {
  for (const { host, cable } of [one, other]) {
    await host.stop();
    await cable.stop();
  }
  await redis.stop();
});

/** Opens a stream, or is refused. */
async function attempt(at: Replica, token: string | undefined, query = {}): Promise<SseProbe> {
  const probe = await SseProbe.open(at.host.url, { token, query: { client: 'test/1', ...query } });
  open.push(probe);
  if (probe.response.status === 200) await probe.message('Connected');
  return probe;
}

/** Opens a stream. One that ended a moment ago, while Redis was away, may still count under the limit. */
function listen(at: Replica, token: string | undefined, query = {}): Promise<SseProbe> {
  return eventually(
    'a stream',
    async () => {
      const probe = await attempt(at, token, query);
      return probe.response.status === 200 ? probe : undefined;
    },
    20_000,
  );
}

const idOf = (probe: Probe): string =>
  (probe.received[0]?.message as { connection_id: string } | undefined)?.connection_id ?? '';
const announce = (at: Replica, value: string) =>
  new ApiClient(at.host.url, admin.token).json('POST', '/notifications/release?critical=false', { value });
const texts = (probe: Probe): unknown[] =>
  probe.received.flatMap(({ type, message }) =>
    type === 'ReleaseNotification' ? [(message as { message: string }).message] : [],
  );
const hears = (probe: Probe, text: string) =>
  eventually(`"${text}"`, () => texts(probe).includes(text) || undefined, RELAYED_MS);
const readiness = async (at: Replica) => {
  const response = await fetch(`${at.host.url}/health/ready`);
  const { checks } = (await response.json()) as { checks: { redis?: string } };
  return { status: response.status, checks };
};

describe('a client', () => {
  for (const { name, open: openOne } of transports) {
    it(`moves between replicas with its cursor over ${name}, and misses nothing`, async () => {
      const token = admin.token;
      const first = await openOne(one.host.url, { token, query: { client: 'test/1' } });
      await first.message('Connected');
      await announce(other, `${name} before`);
      await hears(first, `${name} before`);
      first.close();
      await announce(one, `${name} meanwhile`);
      const cursor = first.received.at(-1)?.id ?? '';
      const query = { client: 'test/1', last_event_id: cursor };
      const second = await openOne(other.host.url, { token, query });
      open.push(second);
      await hears(second, `${name} meanwhile`);
      expect(second.received[0]?.message).toMatchObject({ resumed: 'resumed' });
      expect(texts(second)).toEqual([`${name} meanwhile`]);
    });
  }

  it('has one limit on all replicas, and may replace a stream of another one at the limit', async () => {
    const { token } = await ApiClient.login(one.host.url, 'member@crossfade.test');
    const streams: SseProbe[] = [];
    for (let index = 0; index < LIMIT; index += 1) {
      streams.push(await listen(index % 2 === 0 ? one : other, token));
    }
    for (const at of [one, other]) expect((await attempt(at, token)).response.status).toBe(429);
    const [old] = streams;
    const next = await listen(other, token, { replaces: old === undefined ? '' : idOf(old) });
    expect(next.response.status).toBe(200);
    await old?.end();
    expect((await attempt(one, token)).response.status).toBe(429);
  });

  it('does not hear of its own change, if it asks for that; all others do', async () => {
    const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
    const acme = organizations.find(({ name }) => name === 'Acme');
    const [own, another] = [await listen(one, admin.token), await listen(other, admin.token)];
    const create = (connection: string, name: string) =>
      new ApiClient(other.host.url, admin.token).call(
        'POST',
        '/projects',
        { name, organization_id: acme?.id },
        { 'Push-Connection': connection },
      );
    const changes = (probe: Probe) => probe.received.filter(({ type }) => type === 'ProjectChanged').length;
    expect((await create(idOf(own), 'Of one')).status).toBe(201);
    await eventually('the change', () => changes(another) === 1 || undefined);
    await announce(one, 'after the change');
    await hears(own, 'after the change');
    expect(changes(own)).toBe(0);
    // Somebody else's stream cannot be kept from hearing of it.
    const member = await ApiClient.login(one.host.url, 'member@crossfade.test');
    const theirs = await listen(one, member.token);
    expect((await create(idOf(theirs), 'Of another')).status).toBe(201);
    await eventually('the change', () => changes(theirs) === 1 || undefined);
    const refused = await create('no id', 'Of nobody');
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain('Push-Connection');
  });

  it('hears of what is stored together with its own change', async () => {
    const own = await listen(one, admin.token);
    const projects = await admin.json<{ id: string; name: string }[]>('GET', '/projects');
    const { id: project = '' } = projects.find(({ name }) => name === 'Storefront') ?? {};
    const itself = new ApiClient(other.host.url, admin.token);
    const another = new ApiClient(other.host.url, sampleToken.storefront);
    const isOfAnother = (index: number): boolean => index % 3 === 1;
    // Those that wait for their turn are stored together, mostly behind one of its own.
    const posts = Array.from({ length: 24 }, (_, index) => {
      const event = { type: 'error', message: `At once ${inLetters(index)}` };
      return isOfAnother(index)
        ? another.call('POST', '/events', event)
        : itself.call('POST', `/projects/${project}/events`, event, { 'Push-Connection': idOf(own) });
    });
    expect((await Promise.all(posts)).map(({ status }) => status)).toEqual(posts.map(() => 202));
    const stacks = await admin.json<{ id: string; title: string }[]>(
      'GET',
      `/projects/${project}/stacks?limit=100`,
    );
    const ofAnother = stacks.filter(({ title }) =>
      posts.some((_, index) => isOfAnother(index) && title === `At once ${inLetters(index)}`),
    );
    expect(ofAnother).toHaveLength(8);
    for (const { id } of ofAnother) await own.message('StackChanged', (message) => message['id'] === id);
  });
});

describe('an operator', () => {
  it('sees and ends the streams of all replicas from any of them', async () => {
    const [near, far] = [await listen(one, admin.token), await listen(other, admin.token)];
    const asked = new ApiClient(one.host.url, admin.token);
    const list = (query = '') =>
      asked.json<{ id: string; replica: string }[]>('GET', `/push/connections${query}`);
    const all = await eventually('both', async () => {
      const found = await list();
      return found.length >= 2 ? found : undefined;
    });
    expect(all.find(({ id }) => id === idOf(near))).toMatchObject({ replica: 'one', state: 'live', lag: 0 });
    expect(all.find(({ id }) => id === idOf(far))).toMatchObject({ replica: 'other', client: 'test/1' });
    expect((await list('?replica=other')).map(({ id }) => id)).toEqual([idOf(far)]);
    expect((await asked.call('DELETE', `/push/connections/${idOf(far)}`)).status).toBe(204);
    await far.message('Reconnect');
    expect((await asked.call('DELETE', `/push/connections/${crypto.randomUUID()}`)).status).toBe(404);
    expect((await asked.call('GET', '/push/connections?page=999')).status).toBe(400);
  });

  it('is told which replica did not answer', async () => {
    other.cable.pause();
    const response = await new ApiClient(one.host.url, admin.token).call('GET', '/push/connections');
    expect(response.headers.get('x-crossfade-silent-replicas')).toBe('other');
    other.cable.mend();
    await eventually(
      'an answer of all',
      async () => {
        const asked = await new ApiClient(one.host.url, admin.token).call('GET', '/push/connections');
        return asked.headers.get('x-crossfade-silent-replicas') === null || undefined;
      },
      20_000,
    );
  });
});

describe('a revocation', () => {
  const session = () => ApiClient.login(one.host.url, 'member@crossfade.test');

  it('closes the streams of another replica at once', async () => {
    for (const { open: openOne } of transports) {
      const revoked = await session();
      const probe = await openOne(other.host.url, { token: revoked.token });
      await probe.message('Connected');
      const begun = Date.now();
      await revoked.json('POST', '/auth/logout');
      const { at } = await probe.message('Revoked');
      expect(at - begun).toBeLessThan(REVOKED_MS);
      await probe.end();
    }
  });

  it('that a replica does not hear of ends them within its reauthorization', async () => {
    const revoked = await session();
    const probe = await listen(other, revoked.token);
    other.cable.cut();
    const begun = Date.now();
    await revoked.json('POST', '/auth/logout');
    const { at } = await probe.message('Revoked');
    expect(at - begun).toBeLessThan((REAUTHORIZE_SECONDS + 1) * 1000 * 2);
    other.cable.mend();
    await eventually(
      'Redis',
      async () => (await readiness(other)).checks.redis === 'ok' || undefined,
      20_000,
    );
  });
});

describe('without Redis', () => {
  it('a change that one replica makes reaches the clients of another that still has it', async () => {
    const probe = await listen(other, admin.token);
    one.cable.cut();
    await announce(one, 'cut off');
    await hears(probe, 'cut off');
    one.cable.mend();
    await eventually('Redis', async () => (await readiness(one)).checks.redis === 'ok' || undefined, 20_000);
  });

  it('new streams are refused within a second, open ones stay, and what was changed meanwhile follows', async () => {
    const probes = [await listen(one, admin.token), await listen(other, admin.token)];
    redis.pause();
    const begun = Date.now();
    const refused = await attempt(one, admin.token);
    expect([refused.response.status, Date.now() - begun < 1500]).toEqual([503, true]);
    await announce(one, 'while Redis was paused');
    await eventually(
      'the loss',
      async () => (await readiness(one)).checks.redis === 'unavailable' || undefined,
    );
    expect((await readiness(one)).status).toBe(200);
    // Longer than three heartbeats.
    await new Promise((resolve) => setTimeout(resolve, 4000));
    redis.resume();
    for (const probe of probes) {
      await hears(probe, 'while Redis was paused');
      expect(probe.ended).toBe(false);
    }
    await listen(other, admin.token);
  });

  it('that lost its data, every client is told to refetch, and no critical message is lost', async () => {
    const probes = [await listen(one, admin.token), await listen(other, admin.token)];
    await announce(one, 'before the loss');
    for (const probe of probes) await hears(probe, 'before the loss');
    await redis.kill();
    await announce(other, 'during the loss');
    await redis.start('lost');
    for (const probe of probes) {
      await hears(probe, 'during the loss');
      expect((await probe.message('Resync')).message).toMatchObject({ reason: 'log_lost' });
      const ids = new Map(probe.received.map(({ id, message }) => [JSON.stringify(message), id]));
      // A repeat has the same id.
      for (const { id, type, message } of probe.received) {
        if (type === 'ReleaseNotification') expect(id).toBe(ids.get(JSON.stringify(message)));
      }
      expect(probe.ended).toBe(false);
    }
  });
});

it('a drained replica hands its clients over, and they miss nothing', async () => {
  const { token } = admin;
  const extra = await start('third');
  const streams = [
    await listen(extra, token),
    await WsProbe.open(extra.host.url, { token, query: { client: 'test/1' } }),
  ];
  for (const probe of streams) await probe.message('Connected');
  const ending = extra.host.stop('SIGTERM');
  for (const [index, probe] of streams.entries()) {
    await announce(one, `drained ${index}`);
    await probe.message('Reconnect');
    const cursor = probe.received.at(-1)?.id ?? '';
    await announce(other, `moved ${index}`);
    const query = { client: 'test/1', last_event_id: cursor, replaces: idOf(probe) };
    const next = await SseProbe.open(other.host.url, { token, query });
    open.push(next);
    await hears(next, `moved ${index}`);
    const heard = new Set([...texts(probe), ...texts(next)]);
    for (let before = 0; before <= index; before += 1) {
      expect(heard).toContain(`drained ${before}`);
    }
    probe.close();
  }
  expect(await ending).toBe(0);
  await extra.cable.stop();
});
