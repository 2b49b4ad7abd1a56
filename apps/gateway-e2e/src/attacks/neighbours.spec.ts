import { SseProbe, WsProbe, eventually, type Probe } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase } from '@crossfade/test-hosts';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { makeWorld, type World } from '../world.ts';

const TOKENS = 30;
/** The default of `PUSH_MAX_CONNECTIONS_PER_ORGANIZATION`. */
const LIMIT = 100;

describe("an organization's project tokens", () => {
  let gateway: GatewayHost;
  let world: World;
  const open: Probe[] = [];
  beforeAll(async () => {
    gateway = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { PUSH_CRITICAL_CAPACITY: '40' },
    });
    world = await makeWorld(gateway);
  });
  afterEach(() => {
    for (const probe of open.splice(0)) probe.close();
  });
  afterAll(() => gateway.stop());

  const tokens = (of: string, many: number): Promise<string[]> =>
    Promise.all(
      Array.from({ length: many }, async () => {
        const made = await world.admin.json<{ token: string }>('POST', `/projects/${of}/tokens`, {
          scopes: ['push:subscribe'],
        });
        return made.token;
      }),
    );

  /** Opens streams, alternating between the transports, until each token has a user's limit or is refused. */
  async function fill(all: readonly string[]): Promise<SseProbe[]> {
    const refused: SseProbe[] = [];
    for (const [index, token] of all.entries()) {
      for (let time = 0; time < 10; time += 1) {
        if (refused.length > 5) return refused;
        if (index % 2 === 0 && refused.length === 0 && open.length < LIMIT) {
          const probe = await WsProbe.open(gateway.url, { token });
          await probe.message('Connected');
          open.push(probe);
          continue;
        }
        const probe = await SseProbe.open(gateway.url, { token });
        (probe.response.status === 200 ? open : refused).push(probe);
      }
    }
    return refused;
  }

  it('hold a hundred streams together, however many there are; people and other organizations have their own', async () => {
    const own = await tokens(world.own.projects, TOKENS);
    const refused = await fill(own);
    expect(open).toHaveLength(LIMIT);
    const [first] = refused;
    expect(first?.response.status).toBe(429);
    expect(Number(first?.response.headers.get('retry-after'))).toBeGreaterThan(0);
    const last = own.at(-1);
    const asked = await fetch(`${gateway.url}/api/v2/push`, { headers: { Authorization: `Bearer ${last}` } });
    expect(await asked.json()).toMatchObject({
      status: 429,
      detail: 'The tokens of your organization have 100 streams open together, the limit; close one.',
    });
    const told = await WsProbe.open(gateway.url, { token: last, protocols: ['crossfade.1'] });
    expect((await told.end()).code).toBe(4290);

    // A user's streams count for the user, and another organization's tokens for that organization.
    const [foreign] = await tokens(world.foreign.projects, 1);
    for (const token of [world.member.token, foreign]) {
      const probe = await SseProbe.open(gateway.url, { token });
      expect(probe.response.status).toBe(200);
      open.push(probe);
    }
    // A released lease is available at once to any of them, whatever they were told before.
    open.shift()?.close();
    await eventually('released lease', async () => {
      const probe = await SseProbe.open(gateway.url, { token: last });
      if (probe.response.status === 200) open.push(probe);
      return probe.response.status === 200 || undefined;
    });
    expect((await SseProbe.open(gateway.url, { token: last })).response.status).toBe(429);
  });

  it('hand a lease over at the limit, only to a stream of the same token', async () => {
    const [one = '', other = ''] = await tokens(world.own.projects, 2);
    await fill([...(await tokens(world.own.projects, 9)), one]);
    expect(open).toHaveLength(LIMIT);
    const { connection_id: replaces } = (await open.at(-1)?.message('Connected'))?.message as {
      connection_id: string;
    };
    const query = { replaces };
    expect((await SseProbe.open(gateway.url, { token: other, query })).response.status).toBe(429);
    const next = await SseProbe.open(gateway.url, { token: one, query });
    expect(next.response.status).toBe(200);
    open.push(next);
    await open.at(-2)?.end();
  });

  it("still limit a single token, with the sentence of that token's own limit", async () => {
    const [one = ''] = await tokens(world.own.projects, 1);
    await fill([one]);
    expect(open).toHaveLength(10);
    const asked = await fetch(`${gateway.url}/api/v2/push`, { headers: { Authorization: `Bearer ${one}` } });
    expect(asked.status).toBe(429);
    expect(await asked.json()).toMatchObject({ detail: 'You have 10 streams open, the limit; close one.' });
  });

  it('that are many and rarely used do not push messages to everyone out of the window', async () => {
    const organizations: string[] = [];
    while (organizations.length < 90) {
      const made = await world.admin.json<{ id: string }>('POST', '/organizations', { name: 'New' });
      organizations.push(made.id);
    }
    const before = await SseProbe.open(gateway.url, { token: world.member.token });
    const cursor = (await before.message('Connected')).id ?? '';
    before.close();
    for (let told = 0; told < 8; told += 1) {
      await world.admin.call('POST', '/notifications/release?critical=false', { value: `told ${told}` });
    }
    // Each of them causes a critical message; together, they are more than the window holds.
    await world.service.json(
      'POST',
      '/push/messages',
      organizations.map((id) => ({
        type: 'PlanOverage',
        message: { organization_id: id, is_hourly: false },
      })),
    );
    const after = await SseProbe.open(gateway.url, {
      token: world.member.token,
      query: { last_event_id: cursor },
    });
    await after.message('ReleaseNotification', ({ message }) => message === 'told 7');
    const told = after.received.filter(({ type }) => type === 'ReleaseNotification');
    expect(told.map(({ message }) => (message as { message: string }).message)).toEqual(
      Array.from({ length: 8 }, (_, index) => `told ${index}`),
    );
    // No record that concerns this client was dropped.
    expect(after.received[0]?.message).toMatchObject({ resumed: 'resumed' });
    after.close();
  });

  it('have no lease once their streams have ended', async () => {
    const { token } = await ApiClient.login(gateway.url, 'admin@crossfade.test');
    await eventually('no open stream', async () => {
      const answered = await fetch(`${gateway.url}/api/v2/push/connections`, {
        headers: { Authorization: `Bearer ${token}` },
      });
      return ((await answered.json()) as unknown[]).length === 0 || undefined;
    });
    await fill(await tokens(world.own.projects, 11));
    expect(open).toHaveLength(LIMIT);
  });
});
