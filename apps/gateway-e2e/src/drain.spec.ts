import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, OwnFolder, StreamLoad } from '@crossfade/test-hosts';
import { expect, it } from 'vitest';
import { Crowding } from './attacks/processes.ts';

const TOKENS = 50;
const EACH = 100;
const STREAMS = TOKENS * EACH;
const DRAIN_SECONDS = 10;
/** The longest delay that a client is given. */
const DELAY_MS = 1000;
const GRACE_MS = 1000;
/** Tolerance for timers and a slow machine. */
const SLACK_MS = 1500;
/** Between telling a stream and writing that, a busy gateway may write to others. */
const WRITTEN_MS = 100;
const NEVER = { after: 0, before: 0 };

it(`drains ${STREAMS} open streams in even waves, then ends; the next process replays what each of them missed`, async () => {
  const env = {
    DATA_DIR: new OwnFolder('drain').path,
    PUSH_MAX_CONNECTIONS_PER_USER: String(EACH),
    PUSH_MAX_CONNECTIONS_PER_ORGANIZATION: String(STREAMS),
    PUSH_DRAIN_SECONDS: String(DRAIN_SECONDS),
    API_THROTTLE_PER_MINUTE: '0',
  };
  const host = await GatewayHost.start({ env });
  const load = new StreamLoad();
  try {
    const admin = await ApiClient.login(host.url, 'admin@crossfade.test');
    const projects = await admin.json<{ id: string; name: string }[]>('GET', '/projects');
    const storefront = projects.find(({ name }) => name === 'Storefront')?.id;
    const tokens: string[] = [];
    for (let index = 0; index < TOKENS; index += 1) {
      const made = await admin.json<{ token: string }>('POST', `/projects/${storefront}/tokens`, {
        scopes: ['push:subscribe'],
      });
      tokens.push(made.token);
    }
    await load.open(host.url, tokens, EACH);
    const announce = (value: string) =>
      admin.call('POST', '/notifications/release?critical=false', { value }).then(({ status }) => status);
    expect(await announce('before the drain')).toBe(200);
    await eventually(
      'first message everywhere',
      async () => (await load.report()).every(({ criticals }) => criticals.length === 1) || undefined,
    );

    const begun = Date.now();
    const crowding = new Crowding(host.pid);
    const exit = host.stop('SIGTERM');
    const ready = await eventually('readiness that has turned', async () => {
      const response = await fetch(`${host.url}/health/ready`);
      return response.status === 200 ? undefined : response;
    });
    expect(Date.now() - begun).toBeLessThan(1000);
    expect(await ready.json()).toMatchObject({ status: 'draining', checks: { database: 'ok' } });
    const refused = await fetch(`${host.url}/api/v2/push`, {
      headers: { Authorization: `Bearer ${tokens[0]}` },
    });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, (DRAIN_SECONDS * 1000) / 2));
    // The API still works, and the remaining streams still get messages.
    expect(await announce('in the middle of it')).toBe(200);
    expect(await exit).toBe(0);
    const took = Date.now() - begun;

    const streams = await load.report();
    expect(streams.filter(({ told }) => told === undefined)).toEqual([]);
    const bySecond = Array.from({ length: DRAIN_SECONDS }, () => 0);
    for (const { told = NEVER } of streams) {
      const second = Math.min(DRAIN_SECONDS - 1, Math.floor((told.before - begun) / 1000));
      bySecond[second] = (bySecond[second] ?? 0) + 1;
    }
    console.log(
      `Told to move, each second of ${DRAIN_SECONDS}: ${bySecond.join(' ')}; exit after ${took} ms`,
    );
    const even = STREAMS / DRAIN_SECONDS;
    for (const [second, told] of bySecond.entries()) {
      expect(told, `second ${second}`).toBeGreaterThan(even / 5);
      expect(told, `second ${second}`).toBeLessThan(even * 2);
    }
    const written = WRITTEN_MS + crowding.most(WRITTEN_MS);
    for (const { told = NEVER, delayMs = 0, ended = NEVER, hasMoved, isOpen } of streams) {
      expect(isOpen).toBe(false);
      expect(delayMs).toBeLessThanOrEqual(DELAY_MS);
      if (!hasMoved) expect(ended.before - told.after).toBeGreaterThan(delayMs + GRACE_MS - written);
      expect(ended.after - told.before).toBeLessThan(delayMs + GRACE_MS + SLACK_MS);
    }
    expect(took).toBeLessThan((DRAIN_SECONDS + 5) * 1000);
    const heard = streams.filter(({ criticals }) => criticals.length === 2).length;
    expect(heard).toBeGreaterThan(0);
    expect(heard).toBeLessThan(STREAMS);

    const next = await GatewayHost.start({ env });
    const back = Date.now();
    await load.comeBack(next.url, 2000);
    await eventually(
      'both messages everywhere',
      async () =>
        (await load.report()).every(({ criticals }) => new Set(criticals.map(({ id }) => id)).size === 2) ||
        undefined,
    );
    console.log(`${STREAMS} came back in ${Date.now() - back} ms`);
    for (const { criticals } of await load.report()) {
      expect(new Set(criticals.map(({ text }) => text))).toEqual(
        new Set(['before the drain', 'in the middle of it']),
      );
    }
    await load.stop();
    await next.stop();
  } finally {
    await load.stop();
    await host.stop();
  }
});
