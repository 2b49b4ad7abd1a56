import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { SseProbe, WsProbe, eventually } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  RedisHost,
  freePort,
  newDatabase,
  runSql,
  sampleToken,
} from '@crossfade/test-hosts';
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest';
import { transports } from './transports.ts';

type Labels = Readonly<Record<string, string>>;
interface Family {
  readonly kind: string;
  readonly labels: ReadonlySet<string>;
}

const PREFIX = 'crossfade_push_';
const GATEWAY = 'crossfade_gateway_';
/** More than any kernel buffers for a socket that nobody reads. */
const ENOUGH = 12;
const MEBIBYTE = 1024 * 1024;

let host: GatewayHost;
let redis: RedisHost;
let databaseUrl: string;
let metricsUrl: string;
let admin: ApiClient;
let service: ApiClient;
let organization: string;
const open: { close: () => void }[] = [];

beforeAll(async () => {
  databaseUrl = newDatabase(inject('postgresPort'));
  const port = await freePort();
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  redis = await RedisHost.start();
  host = await GatewayHost.start({
    databaseUrl,
    redisUrl: redis.url,
    env: {
      REPLICA_NAME: 'measured',
      METRICS_PORT: String(port),
      API_THROTTLE_PER_MINUTE: '0',
      PUSH_REAUTHORIZE_SECONDS: '1',
      PUSH_KEEP_ALIVE_SECONDS: '1',
      PUSH_STALL_SECONDS: '6',
      PUSH_WRITE_QUEUE_CAPACITY: '4',
      PUSH_DRAIN_SECONDS: '3',
    },
  });
  admin = await ApiClient.login(host.url, 'admin@crossfade.test');
  service = new ApiClient(host.url, sampleToken.service);
  const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
  organization = organizations.find(({ name }) => name === 'Acme')?.id ?? '';
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});
afterAll(async () => {
  await host.stop('SIGKILL');
  await redis.stop();
});

const readPage = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../docs/operations/${name}.md`, import.meta.url)), 'utf8');

const scrape = async (): Promise<string> => (await fetch(metricsUrl)).text();

/** The sum of all series of a metric that have these labels. `name`: one of the library without its beginning, or a whole one. */
function valueIn(text: string, name: string, labels: Labels = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const whole = name.startsWith('crossfade_') ? name : `${PREFIX}${name}`;
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${whole}{`) || line.startsWith(`${whole} `))
    .filter((line) => wanted.every((pair) => line.includes(pair)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
const value = async (name: string, labels?: Labels): Promise<number> => valueIn(await scrape(), name, labels);

/** Does something, and waits until the metric has changed by the expected amount. */
async function moves(
  name: string,
  labels: Labels,
  by: number | 'some',
  cause: () => unknown,
  patience = 10_000,
): Promise<void> {
  const before = await value(name, labels);
  await cause();
  let moved = 0;
  await eventually(
    `movement of ${name} ${JSON.stringify(labels)}`,
    async () => {
      moved = (await value(name, labels)) - before;
      return moved < (by === 'some' ? 1 : by) ? undefined : true;
    },
    patience,
  );
  if (by === 'some') expect(moved, name).toBeGreaterThan(0);
  else expect(moved, `${name} ${JSON.stringify(labels)}`).toBe(by);
}

const changed = (said: string, type = 'StackChanged') => ({
  type,
  message: { type: 'Stack', organization_id: organization, change_type: 1, data: { said } },
});
const publish = (body: unknown) => service.json('POST', '/push/messages', body);

async function stream(client: string, more: Labels = {}, as = admin): Promise<SseProbe> {
  const probe = await SseProbe.open(host.url, {
    token: as.token,
    query: { client: `${client}/1.0`, ...more },
  });
  await probe.message('Connected');
  open.push(probe);
  return probe;
}

/** A stream whose client reads when it is told to. */
async function idler(client: string): Promise<Socket> {
  const { port } = new URL(host.url);
  const socket = connect(Number(port), '127.0.0.1');
  open.push({ close: () => socket.destroy() });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(
    `GET /api/v2/push?client=${client}/1.0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${admin.token}\r\n\r\n`,
  );
  await once(socket, 'data');
  socket.pause();
  return socket;
}

/** More than a socket takes that nobody reads, in portions that fit into a queue of four. */
async function flood(messages = ENOUGH): Promise<void> {
  for (let sent = 0; sent < messages; sent += 1) await publish(changed(`${sent} ${'x'.repeat(MEBIBYTE)}`));
}

it('are those of the page, with its kinds and labels', async () => {
  const page = readPage('metrics');
  const rows = [...page.matchAll(/^\| `(crossfade_\w+)`\s*\| (\w+)\s*\| (?:`([\w ]+)`)?\s*\|/gm)];
  const documented = new Map<string, Family>(
    rows.map(([, name = '', kind = '', labels]) => [
      name,
      { kind, labels: new Set(labels?.split(' ') ?? []) },
    ]),
  );
  await stream('documented');
  await publish(changed('documented'));
  const text = await eventually('histogram', async () => {
    const scraped = await scrape();
    return scraped.includes('write_delay_bucket') ? scraped : undefined;
  });
  const exported = new Map<string, Family>();
  for (const [, name = '', kind = ''] of text.matchAll(/^# TYPE (crossfade_\w+) (\w+)$/gm)) {
    const labels = [...text.matchAll(new RegExp(`^${name}(?:_bucket)?\\{([^}]*)\\}`, 'gm'))]
      .flatMap(([, inside = '']) => [...inside.matchAll(/\b(\w+)="/g)].map(([, label = '']) => label))
      .filter((label) => label !== 'le' && label !== 'replica');
    exported.set(name, { kind, labels: new Set(labels) });
  }
  expect(exported.size).toBeGreaterThan(10);
  expect(exported).toEqual(documented);
  for (const other of ['replicas', 'redis', 'postgresql', 'limits']) {
    for (const [name] of readPage(other).matchAll(/crossfade_(?:push|gateway)_\w+/g))
      expect([...documented.keys()], other).toContain(name.replace(/_count$/, ''));
  }
  expect(text).toMatch(/^nodejs_eventloop_delay_p99\{replica="measured"\} [\d.e-]+$/m);
  for (const line of text.split('\n').filter((one) => /^\w/.test(one))) {
    expect(line).toContain('replica="measured"');
  }
});

it('count streams that open, are open, and end, by transport and client', async () => {
  for (const { name, open: openOne } of transports) {
    const labels = { transport: name.toLowerCase(), client: 'counted' };
    const ask = { token: admin.token, query: { client: 'counted/1.0' } };
    let probe: Awaited<ReturnType<typeof openOne>> | undefined;
    await moves('connections_opened_total', labels, 1, async () => (probe = await openOne(host.url, ask)));
    expect(await value('connections_active', labels)).toBe(1);
    await moves('messages_delivered_total', labels, 2, () => publish([changed('one'), changed('two')]));
    await moves('connections_closed_total', { ...labels, reason: 'gone' }, 1, () => probe?.close());
    expect(await value('connections_active', labels)).toBe(0);
  }
});

it('count every way in which a stream ends', async () => {
  const closed = (reason: string) => ['connections_closed_total', { client: 'ending', reason }] as const;
  const session = () => ApiClient.login(host.url, 'member@crossfade.test');

  const out = await session();
  await stream('ending', {}, out);
  await moves(...closed('revoked'), 1, () =>
    moves('revocations_total', {}, 1, () => out.json('POST', '/auth/logout')),
  );
  const lost = await session();
  const { id } = await stream('ending', {}, lost).then(
    async () =>
      (await lost.json<{ id: string; is_current: boolean }[]>('GET', '/users/me/tokens')).find(
        ({ is_current }) => is_current,
      ) ?? { id: '' },
  );
  // Behind the gateway's back: no message announces it, and reauthorization finds it.
  await moves(...closed('unauthorized'), 1, () =>
    moves('reauthorizations_total', { outcome: 'ended' }, 1, () =>
      runSql(databaseUrl, `DELETE FROM tokens WHERE id = '${id}'`),
    ),
  );
  const replaced = await stream('ending');
  const { connection_id } = replaced.received[0]?.message as { connection_id: string };
  await moves(...closed('replaced'), 1, () => stream('ending', { replaces: connection_id }));
  await moves(...closed('draining'), 1, async () => {
    const [newest] = await admin.json<{ id: string }[]>('GET', '/push/connections');
    await admin.json('DELETE', `/push/connections/${newest?.id}`);
  });
});

it('count refusals by reason, without a series per client', async () => {
  const refused = async (reason: string, ask: { token?: string; headers?: Labels }, client = 'refused') => {
    const labels = { transport: 'sse', client: 'other', reason };
    await moves('connections_refused_total', labels, 1, async () => {
      const { response } = await SseProbe.open(host.url, { ...ask, query: { client: `${client}/1.0` } });
      expect(response.status).toBeGreaterThanOrEqual(400);
    });
  };
  await refused('unauthorized', { token: 'unknown' });
  await refused('forbidden', { token: sampleToken.storefront });
  await refused('origin', { token: admin.token ?? '', headers: { Origin: 'https://elsewhere.example' } });
  const crowd = await ApiClient.login(host.url, 'member@crossfade.test');
  for (let index = 0; index < 10; index += 1) await stream('crowd', {}, crowd);
  await refused('limit', { token: crowd.token ?? '' });
  const labels = { transport: 'websocket', client: 'other', reason: 'unauthorized' };
  await moves('connections_refused_total', labels, 1, () =>
    new WsProbe(host.url, { token: 'unknown' }).end(),
  );
  expect(await scrape()).not.toContain('client="refused"');
});

it('count what resuming streams are told', async () => {
  const resumed = (outcome: string) => ['resumes_total', { client: 'missing', outcome }] as const;
  const told = (reason: string) => ['resyncs_total', { client: 'missing', reason }] as const;
  let first: SseProbe | undefined;
  await moves(...resumed('fresh'), 1, async () => (first = await stream('missing')));
  const cursor = first?.received[0]?.id ?? '';
  await moves(...resumed('resumed'), 1, () => stream('missing', { last_event_id: cursor }));
  await moves(...resumed('gap'), 1, () =>
    moves(...told('unknown_cursor'), 1, () => stream('missing', { last_event_id: 'no cursor' })),
  );
  await moves(...told('log_lost'), 1, () => stream('missing', { last_event_id: 'AAAAAAAA.1-7' }));
  const fresh = await stream('missing');
  await publish(changed('x'.repeat(5000)));
  await fresh.message('StackChanged');
  const before = { last_event_id: fresh.received[0]?.id ?? '' };
  const active = () => value('connections_active', { client: 'missing' });
  const others = await active();
  for (let time = 0; time < 3; time += 1) {
    (await stream('missing', before)).close();
    await eventually('end of it', async () => ((await active()) === others ? true : undefined));
  }
  await moves(...told('too_large'), 1, () => stream('missing', before));
});

it('count a client that knows no Resync as ended, and as told to refetch', async () => {
  const member = await ApiClient.login(host.url, 'member@crossfade.test');
  const { id } = await member.json<{ id: string }>('GET', '/users/me');
  const probe = await SseProbe.open(host.url, { token: member.token });
  open.push(probe);
  await probe.message('Connected');
  const foreign = `SELECT id, '${id}', now() FROM organizations WHERE name = 'Globex'`;
  await moves('connections_closed_total', { client: 'unknown', reason: 'stale' }, 1, () =>
    moves('resyncs_total', { client: 'unknown', reason: 'gap' }, 1, () =>
      runSql(databaseUrl, `INSERT INTO memberships (organization_id, user_id, created_utc) ${foreign}`),
    ),
  );
});

it('count what is published and conflated', async () => {
  await moves('messages_published_total', { type: 'StackChanged' }, 1, () => publish(changed('x')));
  await moves('messages_published_total', { type: 'other' }, 1, () => publish(changed('x', 'WidgetChanged')));
  const events = ['a', 'b', 'c', 'd'].map((said) => changed(said, 'PersistentEventChanged'));
  await moves('messages_conflated_total', { type: 'PersistentEventChanged' }, 2, () => publish(events));
  await moves('write_delay_count', { path: 'at_once' }, 'some', () => publish(changed('timed')));
});

it('count streams that wait, fall behind, catch up, and are closed as slow, and what is merged', async () => {
  const waiting = await idler('waiting');
  const delivered = () => value('messages_delivered_total', { client: 'waiting' });
  await eventually('message that waits', async () => {
    const before = await delivered();
    await flood(1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return (await delivered()) === before ? true : undefined;
  });
  await moves('write_delay_count', { path: 'waited' }, 1, () => waiting.resume());
  const late = await idler('late');
  await moves('connections_fell_behind_total', { client: 'late' }, 1, () => flood());
  await publish(Array.from({ length: 4 }, () => changed('same')));
  await moves('messages_merged_total', { client: 'late' }, 'some', () =>
    moves('connections_caught_up_total', { client: 'late' }, 1, () => late.resume()),
  );
  await idler('never');
  await moves('connections_closed_total', { client: 'never', reason: 'slow' }, 1, () => flood(), 20_000);
});

it('count what reauthorization found', async () => {
  await stream('asked');
  await moves('reauthorizations_total', { outcome: 'kept' }, 'some', () => undefined);
});

it('show when each loop last completed', async () => {
  for (const loop of ['keep_alive', 'reauthorization', 'confirmation', 'expiry', 'summary', 'peers']) {
    if (loop === 'peers' && process.platform !== 'linux') continue;
    const text = await scrape();
    expect(text).toContain(`${PREFIX}loop_age`);
    expect(valueIn(text, 'loop_age', { loop }), loop).toBeLessThan(61);
    expect(text).toMatch(new RegExp(`loop_age\\{[^}]*loop="${loop}"`));
  }
  expect(await value('loop_age', { loop: 'keep_alive' })).toBeLessThan(5);
  const text = await scrape();
  for (const [name, loop] of [
    [`${PREFIX}loop_age`, 'leases'],
    [`${GATEWAY}loop_age`, 'housekeeping'],
    [`${GATEWAY}loop_age`, 'outbox'],
  ] as const) {
    expect(text).toMatch(new RegExp(`^${name}\\{[^}]*loop="${loop}"`, 'm'));
    expect(valueIn(text, name, { loop }), loop).toBeLessThan(30);
  }
});

it('show how many records wait to be handed over', async () => {
  const batch = Array.from({ length: 100 }, (_, index) => changed(`a burst ${index}`));
  let isSeen = false;
  const watching = eventually('a lag', async () => {
    isSeen ||= (await value('log_lag_records')) > 0;
    return isSeen || undefined;
  });
  while (!isSeen) await publish(batch);
  await watching;
  await eventually('its end', async () => (await value('log_lag_records')) === 0 || undefined);
});

it('say what waits while Redis is away, and what follows', async () => {
  const is = (name: string, right: (value: number) => boolean) =>
    eventually(name, async () => right(await value(name)) || undefined, 20_000);
  const depth = `${GATEWAY}outbox_depth`;
  const age = `${GATEWAY}outbox_age`;
  await moves('log_append_duration_count', { outcome: 'appended' }, 'some', () => publish(changed('now')));
  expect(await value('redis_ready')).toBe(1);
  const [leaving] = [await stream('leaving'), await stream('staying')];
  await is(depth, (rows) => rows === 0);
  await redis.kill();
  await is('redis_ready', (ready) => ready === 0);
  await moves('log_append_duration_count', { outcome: 'failed' }, 'some', () => publish(changed('later')));
  leaving.close();
  await is('leases_unreleased', (leases) => leases === 1);
  await is('log_lag_seconds', (seconds) => seconds > 1);
  await is(depth, (rows) => rows === 1);
  await is(age, (seconds) => seconds > 1);
  await moves('leases_reacquisitions_total', { outcome: 'kept' }, 'some', () =>
    moves(`${GATEWAY}outbox_relayed_total`, {}, 1, () =>
      // For commands, for reads, for questions and for limits.
      moves('redis_reconnects_total', {}, 4, () => redis.start('kept')),
    ),
  );
  expect(await value('redis_ready')).toBe(1);
  for (const name of [depth, age, 'log_lag_seconds', 'leases_unreleased'])
    await is(name, (left) => left === 0);
});

it('count what the log has lost, by kind, and leases that lapsed with it', async () => {
  const [log, state] = ['{crossfade}:log', '{crossfade}:log:state'];
  /** Appends entries as a replica does, and drops one that nobody has read. */
  const append = (entries: number, drops: number, floor: string) =>
    redis.run(
      'EVAL',
      `local ids, epoch = {redis.call('HGET', KEYS[2], 'last') or '0-0'}, redis.call('HGET', KEYS[2], 'epoch')
      for at = 1, ${entries} do
        local head = ids[at] .. ' ' .. epoch .. ' ' .. redis.call('HINCRBY', KEYS[2], 'number', 1) .. ' 0'
        ids[at + 1] = redis.call('XADD', KEYS[1], '*', 'h', head)
        redis.call('HSET', KEYS[2], 'last', ids[at + 1])
      end
      redis.call('XDEL', KEYS[1], ids[${drops} + 1])
      ${floor}`,
      '2',
      log,
      state,
    );
  const damages: Record<string, () => Promise<string>> = {
    trimmed: () => append(2, 1, `redis.call('HSET', KEYS[2], 'floor', ids[2])`),
    broken: () => append(3, 2, ''),
    replaced: () => redis.run('HSET', state, 'epoch', 'another'),
    went_back: () =>
      redis.run(
        'EVAL',
        `local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 2)
        redis.call('XDEL', KEYS[1], newest[1][1])
        return redis.call('HSET', KEYS[2], 'last', newest[2][1])`,
        '2',
        log,
        state,
      ),
  };
  for (const [kind, damage] of Object.entries(damages)) {
    await moves('log_holes_total', { kind }, 1, damage);
    await publish(changed(`after ${kind}`));
  }
  await stream('kept');
  await moves('leases_reacquisitions_total', { outcome: 'kept' }, 'some', () =>
    moves('leases_lapses_total', {}, 1, () =>
      moves('log_holes_total', { kind: 'flushed' }, 1, () => redis.run('FLUSHALL')),
    ),
  );
});

it('show how far a drain is, until the end', async () => {
  for (let index = 0; index < 8; index += 1) await stream('drained');
  const exited = host.stop('SIGTERM');
  const seen = new Set<string>();
  await eventually(
    'end of the metrics',
    async () => {
      const text = await scrape().catch(() => undefined);
      if (text === undefined) return true;
      for (const state of ['waiting', 'told', 'gone'])
        if (valueIn(text, 'drain_connections', { state }) > 0) seen.add(state);
      return undefined;
    },
    30_000,
  );
  expect(await exited).toBe(0);
  expect([...seen].sort()).toEqual(['gone', 'told', 'waiting']);
});

it('are off at METRICS_PORT=0, and a port in use stops the start with a sentence', async () => {
  const url = newDatabase(inject('postgresPort'));
  const first = await GatewayHost.start({ databaseUrl: url, env: { METRICS_PORT: '0' } });
  const second = GatewayHost.spawn({
    databaseUrl: url,
    env: { METRICS_PORT: new URL(first.url).port, PORT: '0' },
  });
  expect(await second.exited()).toBe(1);
  expect(second.output).toMatch(/^Port \d+ is in use; .* set METRICS_PORT to another one\.$/m);
  await first.stop();
});
