import { SseProbe, WsProbe } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

/** What an address may send per minute. */
const LIMIT = 120;

describe('bad tokens for streams', () => {
  let gateway: GatewayHost;
  let member: ApiClient;
  let admin: ApiClient;
  beforeAll(async () => {
    gateway = await GatewayHost.start({ databaseUrl: newDatabase(inject('postgresPort')) });
    member = await ApiClient.login(gateway.url, 'member@crossfade.test');
    admin = await ApiClient.login(gateway.url, 'admin@crossfade.test');
    // Both have had a stream before, on each transport.
    for (const [probe] of [
      [await SseProbe.open(gateway.url, { token: member.token })],
      [await WsProbe.open(gateway.url, { token: admin.token })],
    ] as const) {
      await probe.message('Connected');
      probe.close();
    }
    const statuses: number[] = [];
    for (let sent = 0; sent < LIMIT + 10; sent += 10) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          fetch(`${gateway.url}/api/v2/push?access_token=bad-${sent + index}`),
        ),
      );
      statuses.push(...answers.map(({ status }) => status));
    }
    expect(statuses.slice(0, LIMIT - 10)).toEqual(Array.from({ length: LIMIT - 10 }, () => 401));
    expect(statuses.at(-1)).toBe(429);
  });
  afterAll(() => gateway.stop());

  it('do not lock out known good tokens of the same address, on either transport', async () => {
    for (const token of [member.token, admin.token]) {
      const sse = await SseProbe.open(gateway.url, { token });
      expect(sse.response.status).toBe(200);
      const webSocket = await WsProbe.open(gateway.url, { token });
      await webSocket.message('Connected');
      for (const probe of [sse, webSocket]) probe.close();
    }
  });

  it('lock out tokens that were not seen before, even good ones, for a time that the response names', async () => {
    for (const token of ['bad-again', sampleToken.storefrontPush]) {
      const refused = await SseProbe.open(gateway.url, { token });
      expect(refused.response.status).toBe(429);
      expect(Number(refused.response.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Number(refused.response.headers.get('retry-after'))).toBeLessThanOrEqual(120);
      const told = await WsProbe.open(gateway.url, { token, protocols: ['crossfade.1'] });
      expect((await told.end()).code).toBe(4290);
    }
  });

  it('include good ones that were revoked since', async () => {
    expect((await admin.call('GET', '/auth/logout')).status).toBeLessThan(300);
    expect((await SseProbe.open(gateway.url, { token: admin.token })).response.status).toBe(401);
    // It is checked once more, and counts as a bad token from now on.
    expect((await SseProbe.open(gateway.url, { token: admin.token })).response.status).toBe(429);
    const sse = await SseProbe.open(gateway.url, { token: member.token });
    expect(sse.response.status).toBe(200);
    sse.close();
  });
});
