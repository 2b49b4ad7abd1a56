import { WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, TcpProxy, newDatabase, runSql, sampleToken } from '@crossfade/test-hosts';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { AngularClient, EventSourceClient, OldClient, SvelteClient, type Seat } from './seed-clients.ts';

/*
 * Clients that know nothing newer than the seed. None of them opts in to anything: what they show must be right.
 */

const kinds: readonly (readonly [string, new (seat: Seat) => OldClient])[] = [
  ["the seed's Svelte app, over SSE", SvelteClient],
  ["the seed's AngularJS app, over WebSocket", AngularClient],
  ['an EventSource', EventSourceClient],
];

/** Messages of a storm, and how many go in a request. Together, they are more than a socket takes that nobody reads. */
const STORM = Number(process.env['FIELD_STORM'] ?? 6000);
const AT_ONCE = 100;
const stackId = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const TEXT = 'x'.repeat(3000);

let host: GatewayHost;
let databaseUrl: string;
let wire: TcpProxy;
let member: ApiClient;
let acme: string;
const clients = new Map<string, OldClient>();

beforeAll(async () => {
  databaseUrl = newDatabase(inject('postgresPort'));
  host = await GatewayHost.start({
    databaseUrl,
    env: {
      PUSH_LOG_CAPACITY: '1000',
      PUSH_STALL_SECONDS: '600',
      PUSH_REAUTHORIZE_SECONDS: '1',
      PUSH_UNCONFIRMED_SECONDS: '600',
      API_THROTTLE_PER_MINUTE: '0',
    },
  });
  wire = await TcpProxy.start(Number(new URL(host.url).port));
  member = await ApiClient.login(host.url, 'member@crossfade.test');
  acme = await idOf('Acme');
});
afterEach(() => {
  for (const client of clients.values()) client.stop();
  clients.clear();
});
afterAll(async () => {
  await wire.stop();
  await host.stop();
});

async function idOf(name: string): Promise<string> {
  const admin = await ApiClient.login(host.url, 'admin@crossfade.test');
  const all = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
  return all.find((one) => one.name === name)?.id ?? '';
}

/** The names of the member's organizations and projects. */
async function fetchView(): Promise<readonly string[]> {
  const organizations = await member.json<{ id: string; name: string }[]>('GET', '/organizations');
  const projects = await member.json<{ name: string }[]>('GET', `/organizations/${acme}/projects`);
  return [...organizations, ...projects].map(({ name }) => name).sort();
}

const makeProject = (name: string) => member.json('POST', '/projects', { organization_id: acme, name });

async function openAll(): Promise<void> {
  for (const [name, Kind] of kinds)
    clients.set(
      name,
      new Kind({ pushUrl: wire.through(host.url).replace(/\/$/, ''), token: member.token ?? '', fetchView }),
    );
  await everybody('is connected', ({ streams, fetches }) => fetches > 0 && streams[0]?.[0] === 'Connected');
}

const everybody = async (what: string, is: (client: OldClient) => boolean): Promise<void> => {
  for (const [name, client] of clients)
    await eventually(`${name} that ${what}`, () => is(client) || undefined, 60_000);
};

/** Waits until every client shows the current data. */
async function showsTruth(): Promise<void> {
  const truth = await fetchView();
  await everybody(`shows ${truth.join(', ')}`, ({ view }) => JSON.stringify(view) === JSON.stringify(truth));
}

const changed = (number: number) => ({
  type: 'StackChanged',
  message: {
    type: 'Stack',
    id: stackId(number),
    organization_id: acme,
    change_type: 1,
    data: { text: TEXT },
  },
});
async function storm(meanwhile: () => Promise<unknown>): Promise<void> {
  const service = new ApiClient(host.url, sampleToken.service);
  for (let sent = 0; sent < STORM; sent += AT_ONCE) {
    if (sent === STORM / 2) await meanwhile();
    const messages = Array.from({ length: AT_ONCE }, (_, index) => changed(sent + index));
    await service.json('POST', '/push/messages', messages);
  }
}

describe('a client that knows no Resync', () => {
  it('shows current data after it was too slow for a storm: its stream ends, once, and it refetches', async () => {
    await openAll();
    wire.pause();
    await storm(() => makeProject('Made in a storm'));
    wire.mend();
    await showsTruth();
    await everybody('is back', ({ streams }) => streams.at(-1)?.[0] === 'Connected');
    for (const [name, { streams }] of clients) {
      expect(streams, name).toHaveLength(2);
      const [before = [], after = []] = streams;
      // Its stream was not cut immediately: it got what its socket had taken, and then nothing more.
      expect(before.length, name).toBeGreaterThan(1);
      expect(before.length, name).toBeLessThan(STORM);
      expect(before, name).not.toContain('Resync');
      // Only at the very beginning, when it fetches by itself.
      expect(after.lastIndexOf('Resync'), name).toBeLessThan(2);
    }
    await makeProject('Made after it');
    await showsTruth();
    for (const [name, { streams }] of clients) expect(streams, name).toHaveLength(2);
  });

  it('shows current data after reauthorization found a membership that no message announced', async () => {
    await openAll();
    const { id } = await member.json<{ id: string }>('GET', '/users/me');
    const globex = await idOf('Globex');
    runSql(
      databaseUrl,
      `INSERT INTO memberships (organization_id, user_id, created_utc) VALUES ('${globex}', '${id}', now())`,
    );
    await showsTruth();
    await everybody('is back', ({ streams }) => streams.length === 2 && streams[1]?.[0] === 'Connected');
    runSql(databaseUrl, `DELETE FROM memberships WHERE organization_id = '${globex}' AND user_id = '${id}'`);
    await showsTruth();
    await everybody('is back', ({ streams }) => streams.length === 3 && streams[2]?.[0] === 'Connected');
    await makeProject('Made after reauthorization');
    await showsTruth();
    for (const [name, { streams }] of clients) {
      expect(streams, name).toHaveLength(3);
      expect(streams.flat(), name).not.toContain('Resync');
    }
  });

  it('is closed with 1013 over WebSocket; one that names itself, or offers the subprotocol, gets Resync', async () => {
    const { token } = member;
    const old = await WsProbe.open(host.url, { token });
    const newer = [
      await WsProbe.open(host.url, { token, query: { client: 'test/1.0' } }),
      await WsProbe.open(host.url, { token, protocols: ['crossfade.1'] }),
    ];
    await Promise.all([old, ...newer].map((probe) => probe.message('Connected')));
    const { id } = await member.json<{ id: string }>('GET', '/users/me');
    const globex = await idOf('Globex');
    runSql(
      databaseUrl,
      `INSERT INTO memberships (organization_id, user_id, created_utc) VALUES ('${globex}', '${id}', now())`,
    );
    for (const probe of newer) {
      expect((await probe.message('Resync')).message).toMatchObject({ reason: 'gap' });
      expect(probe.closed).toBeUndefined();
      probe.close();
    }
    expect((await old.end()).code).toBe(1013);
    expect(old.received.map(({ type }) => type)).toEqual(['Connected']);
    runSql(databaseUrl, `DELETE FROM memberships WHERE organization_id = '${globex}' AND user_id = '${id}'`);
  });
});

describe('a client that may not listen', () => {
  it.each([
    ["a browser's token", () => sampleToken.storefront],
    ["a service's token", () => sampleToken.service],
    ['no token', () => ''],
    ['a wrong token', () => 'wrong'],
  ])('with %s comes once over WebSocket, and once over SSE', async (_whose, token) => {
    const seat = { pushUrl: host.url, token: token(), fetchView };
    const angular = new AngularClient(seat);
    const svelte = new SvelteClient(seat);
    clients.set('over WebSocket', angular).set('over SSE', svelte);
    await eventually('close', () => angular.closes.length > 0 || undefined);
    await eventually('status', () => svelte.statuses.length > 0 || undefined);
    const isKnown = ['', 'wrong'].includes(seat.token);
    expect([angular.closes, svelte.statuses]).toEqual(isKnown ? [[4401], [401]] : [[4403], [403]]);
    expect(angular.streams.flat()).toEqual([]);
  });
});
