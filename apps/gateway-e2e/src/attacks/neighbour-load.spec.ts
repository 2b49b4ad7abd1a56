import { SseProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, freePort, newDatabase, runSql, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { processorMs } from './raw-http.ts';

const BATCH = 50_000;
const AT_ONCE = 24;
/** What the issue allows its neighbours; a turn of ours is 50 ms where nothing else runs. */
const P99_MS = 250;
const TOLD_MS = 1000;

const letters = (number: number): string =>
  [...String(number)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? 0;

describe('one project that sends all it can', () => {
  let host: GatewayHost;
  let database: string;
  let neighbour: ApiClient;
  let metrics: string;
  beforeAll(async () => {
    database = newDatabase(inject('postgresPort'));
    const port = await freePort();
    host = await GatewayHost.start({
      databaseUrl: database,
      env: {
        METRICS_PORT: String(port),
        API_THROTTLE_PER_MINUTE: '0',
        INGEST_THROTTLE_PER_MINUTE: '0',
        INGEST_EVENTS_PER_MINUTE: '150000',
        BODY_MEMORY_MIB: '512',
      },
    });
    metrics = `http://127.0.0.1:${port}/metrics`;
    neighbour = await ApiClient.login(host.url, 'member@crossfade.test');
  });
  afterAll(() => host.stop());

  /** The longest turn of the event loop since the last time, milliseconds. */
  async function longestTurn(): Promise<number> {
    const text = await (await fetch(metrics)).text();
    return Number(/^nodejs_eventloop_delay_max (\S+)/m.exec(text)?.[1]) * 1000;
  }

  /** What a neighbour sees while the work runs: its own requests, and its own messages. */
  async function observe(work: () => Promise<unknown>) {
    const probe = await SseProbe.open(host.url, { token: neighbour.token });
    await probe.message('Connected');
    const rocket = new ApiClient(host.url, sampleToken.rocket);
    const asked: number[] = [];
    const told: number[] = [];
    let isOver = false;
    await longestTurn();
    const working = work().finally(() => (isOver = true));
    const asking = (async () => {
      do {
        const begun = performance.now();
        const answer = await neighbour.call('GET', '/users/me');
        await answer.arrayBuffer();
        expect(answer.status).toBe(200);
        asked.push(performance.now() - begun);
        await new Promise((resolve) => setTimeout(resolve, 15));
      } while (!isOver);
    })();
    const posting = (async () => {
      do {
        const begun = performance.now();
        const heard = probe.received.length;
        const reference = crypto.randomUUID();
        expect(
          (
            await rocket.call('POST', '/events', {
              message: `Rocket ${letters(told.length)}`,
              reference_id: reference,
            })
          ).status,
        ).toBe(202);
        await eventually(
          'message of the neighbour',
          () =>
            probe.received
              .slice(heard)
              .some(({ type, message }) => type === 'StackChanged' && JSON.stringify(message).length > 0) ||
            undefined,
        );
        told.push(performance.now() - begun);
        await new Promise((resolve) => setTimeout(resolve, 100));
      } while (!isOver);
    })();
    await Promise.all([working, asking, posting]);
    probe.close();
    return {
      p99: percentile(asked, 0.99),
      told: Math.max(...told),
      turn: await longestTurn(),
      asked: asked.length,
    };
  }

  function expectHarmless(seen: Awaited<ReturnType<typeof observe>>): void {
    console.log(
      `users/me p99 ${Math.round(seen.p99)} ms of ${seen.asked}, told within ${Math.round(seen.told)} ms, longest turn ${Math.round(seen.turn)} ms`,
    );
    expect(seen.asked).toBeGreaterThan(3);
    expect(seen.p99).toBeLessThan(P99_MS);
    expect(seen.told).toBeLessThan(TOLD_MS);
    expect(seen.turn).toBeLessThan(P99_MS);
  }

  const post = async (token: string, body: string, headers = {}): Promise<number> => {
    const answer = await new ApiClient(host.url, token).call('POST', '/events', body, headers);
    await answer.arrayBuffer();
    return answer.status;
  };
  const flood = (token: string, body: string) =>
    Promise.all(Array.from({ length: AT_ONCE }, () => post(token, body)));

  it('with a plan that the batch does not fit is refused before there is work', async () => {
    const body = JSON.stringify(
      Array.from({ length: BATCH }, (_, index) => ({ message: `one ${letters(index)}` })),
    );
    const before = processorMs(host.pid);
    const begun = performance.now();
    let statuses: number[] = [];
    expectHarmless(await observe(async () => (statuses = await flood(sampleToken.intranet, body))));
    expect(new Set(statuses)).toEqual(new Set([402, 429]));
    expect(statuses.filter((status) => status === 402)).toHaveLength(3);
    // 24 batches took 96 s of the processor.
    expect((processorMs(host.pid) - before) / 1000).toBeLessThan(8);
    expect(performance.now() - begun).toBeLessThan(20_000);
  }, 60_000);

  it('with any plan waits for itself: large batches of few stacks, and of very many', async () => {
    const few = JSON.stringify(
      Array.from({ length: BATCH }, (_, index) => ({
        type: 'error',
        message: `Order ${index} of ${letters(index % 40)}`,
        tags: ['a'],
      })),
    );
    const many = JSON.stringify(
      Array.from({ length: BATCH }, (_, index) => ({ message: `one ${letters(index)}` })),
    );
    let statuses: number[] = [];
    expectHarmless(
      await observe(async () => {
        statuses = (
          await Promise.all(
            [few, many].map((body) =>
              Promise.all(Array.from({ length: AT_ONCE / 2 }, () => post(sampleToken.storefront, body))),
            ),
          )
        ).flat();
      }),
    );
    expect(statuses.filter((status) => status === 202)).toHaveLength(3);
    expect(statuses.filter((status) => status === 429)).toHaveLength(AT_ONCE - 3);
  }, 120_000);

  it('in small batches, heartbeats, descriptions, long traces and events of millions of values', async () => {
    const token = sampleToken.storefrontPush;
    const client = new ApiClient(host.url, token);
    const hyphens = '-'.repeat(80_000);
    await client.json('POST', '/events', { reference_id: 'session', data: { text: 'x'.repeat(3_000_000) } });
    const kinds: (() => Promise<unknown>)[] = [
      () => post(token, '{"message":"small"}'),
      () =>
        post(token, JSON.stringify(Array.from({ length: 100 }, () => ({ message: hyphens.slice(0, 3000) })))),
      () =>
        post(
          token,
          JSON.stringify({ data: { '@error': { stack_trace: [{ file_name: hyphens, name: hyphens }] } } }),
        ),
      () => post(token, `{"data":{"a":[${'[],'.repeat(1_000_000)}[]]}}`),
      () => client.call('GET', '/events/session/heartbeat?id=session'),
      () => client.call('GET', '/events/session/heartbeat?id=session&close=true'),
      () => client.call('POST', '/events/by-ref/session/user-description', { description: 'x'.repeat(9000) }),
      () => post('nobody', `[${'{},'.repeat(100_000)}{}]`),
    ];
    const until = performance.now() + 6000;
    expectHarmless(
      await observe(() =>
        Promise.all(
          kinds.map(async (send) => {
            while (performance.now() < until) await send();
          }),
        ),
      ),
    );
  }, 60_000);

  it('rewrites nothing large for a heartbeat or a description, and finds its event by an index', async () => {
    const client = new ApiClient(host.url, sampleToken.rocket);
    const [me] = await Promise.all([neighbour.json<{ id: string; name: string }[]>('GET', '/projects')]);
    const rocket = me.find(({ name }) => name === 'Rocket')?.id ?? '';
    await client.json('POST', '/events', {
      reference_id: 'large',
      data: { text: crypto.randomUUID().repeat(110_000) },
    });
    const written = () => Number(runSql(database, `SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn`));
    const before = written();
    for (let call = 0; call < 60; call += 1)
      expect(
        (await client.call('GET', `/events/session/heartbeat?id=large${call === 59 ? '&close=true' : ''}`))
          .status,
      ).toBe(200);
    for (let call = 0; call < 5; call += 1)
      expect(
        (await client.call('POST', '/events/by-ref/large/user-description', { description: `said ${call}` }))
          .status,
      ).toBe(202);
    expect(written() - before).toBeLessThan(2_000_000);
    const [event] = await neighbour.json<{ id: string; data: Record<string, unknown> }[]>(
      'GET',
      `/projects/${rocket}/events?limit=1`,
    );
    expect(event?.data).toMatchObject({
      '@session': { is_closed: true, last_activity_utc: expect.stringMatching(/^\d{4}-.*Z$/) as string },
      '@user_description': { description: 'said 4' },
      text: expect.any(String) as string,
    });
    runSql(database, 'ANALYZE events');
    const plan = runSql(
      database,
      `EXPLAIN SELECT id FROM events WHERE project_id = '${rocket}' AND reference_id = 'large' ORDER BY date DESC LIMIT 1`,
    );
    expect(plan).toContain('events_reference_newest');
    expect(plan).not.toMatch(/Sort|Seq Scan/);
  }, 60_000);
});
