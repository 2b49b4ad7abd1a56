import { SseProbe, WsProbe, eventually, type Probe } from '@crossfade/protocol/testing';
import { ApiClient } from '@crossfade/test-hosts';
import { afterEach, expect, it } from 'vitest';
import { onEachInstallation } from './databases.ts';

const LIMIT = 10;

onEachInstallation('the limit of streams', {}, (gateway) => {
  const open: Probe[] = [];
  afterEach(() => {
    for (const probe of open.splice(0)) probe.close();
  });

  /** Opens as many streams as one user may have, over both transports. */
  async function fill(token: string | undefined): Promise<void> {
    for (let index = 0; index < LIMIT; index += 1) {
      const probe =
        index % 2 === 0
          ? await SseProbe.open(gateway().url, { token })
          : await WsProbe.open(gateway().url, { token });
      await probe.message('Connected');
      open.push(probe);
    }
  }

  it('refuses the eleventh with 429 and a jittered Retry-After, on both transports', async () => {
    const { token } = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    await fill(token);
    const refused = await Promise.all(
      Array.from({ length: 20 }, () => SseProbe.open(gateway().url, { token })),
    );
    expect(new Set(refused.map(({ response }) => response.status))).toEqual(new Set([429]));
    const waits = refused.map(({ response }) => Number(response.headers.get('retry-after')));
    for (const wait of waits) expect(wait).toBeGreaterThan(0);
    expect(new Set(waits).size).toBeGreaterThan(1);
    expect(await new WsProbe(gateway().url, { token }).refusal()).toBe(429);
    const told = await WsProbe.open(gateway().url, { token, protocols: ['crossfade.1'] });
    const { code, reason } = await told.end();
    expect(code).toBe(4290);
    expect(JSON.parse(reason)).toEqual({ retry_after_ms: expect.any(Number) as number });
  });

  it('releases a lease at once when a stream is closed', async () => {
    const { token } = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    await fill(token);
    open.shift()?.close();
    const next = await eventually(
      'released lease',
      async () => {
        const probe = await SseProbe.open(gateway().url, { token });
        return probe.response.status === 200 ? probe : undefined;
      },
      500,
    );
    open.push(next);
    expect((await SseProbe.open(gateway().url, { token })).response.status).toBe(429);
  });

  it('hands a lease over at the limit to the stream that replaces another, and closes the old one', async () => {
    const { token } = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    await fill(token);
    for (const [index, code] of [
      [0, undefined],
      [1, 1000],
    ] as const) {
      const old = open[index];
      const { connection_id: replaces } = (await old?.message('Connected'))?.message as {
        connection_id: string;
      };
      const next = await SseProbe.open(gateway().url, { token, query: { replaces } });
      expect(next.response.status).toBe(200);
      await next.message('Connected');
      open.push(next);
      const end = await old?.end();
      if (code !== undefined) expect(end).toMatchObject({ code });
    }
    expect((await SseProbe.open(gateway().url, { token })).response.status).toBe(429);
  });

  it("does not hand over another owner's lease", async () => {
    const admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    const member = await ApiClient.login(gateway().url, 'member@crossfade.test');
    await fill(admin.token);
    const victim = await SseProbe.open(gateway().url, { token: member.token });
    const { connection_id: replaces } = (await victim.message('Connected')).message as {
      connection_id: string;
    };
    expect(
      (await SseProbe.open(gateway().url, { token: admin.token, query: { replaces } })).response.status,
    ).toBe(429);
    expect(victim.ended).toBe(false);
    open.push(victim);
  });
});
