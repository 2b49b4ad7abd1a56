import { SseProbe, WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, TcpProxy, newDatabase } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

const REAUTHORIZE_SECONDS = 1;
const UNCONFIRMED_SECONDS = 4;

describe('a database that is a black hole', () => {
  let gateway: GatewayHost;
  let way: TcpProxy;
  let member: ApiClient;
  beforeAll(async () => {
    way = await TcpProxy.start(inject('postgresPort'));
    gateway = await GatewayHost.start({
      databaseUrl: way.through(newDatabase(inject('postgresPort'))),
      env: {
        PUSH_REAUTHORIZE_SECONDS: String(REAUTHORIZE_SECONDS),
        PUSH_UNCONFIRMED_SECONDS: String(UNCONFIRMED_SECONDS),
        PUSH_KEEP_ALIVE_SECONDS: '1',
      },
    });
    member = await ApiClient.login(gateway.url, 'member@crossfade.test');
  });
  afterAll(async () => {
    way.mend();
    await gateway.stop('SIGKILL');
    await way.stop();
  });

  it('ends no stream if the outage is short; if it is long, streams end, come back afterwards, and miss nothing', async () => {
    const sse = await SseProbe.open(gateway.url, { token: member.token });
    const webSocket = await WsProbe.open(gateway.url, { token: member.token });
    for (const probe of [sse, webSocket]) await probe.message('Connected');
    await new Promise((resolve) => setTimeout(resolve, 2 * REAUTHORIZE_SECONDS * 1000));
    way.pause();
    await new Promise((resolve) =>
      setTimeout(resolve, (UNCONFIRMED_SECONDS - REAUTHORIZE_SECONDS - 1) * 1000),
    );
    expect(sse.ended).toBe(false);

    // Meanwhile, new clients are told to come back soon.
    const asked = Date.now();
    const refused = await SseProbe.open(gateway.url, { token: member.token });
    expect(refused.response.status).toBe(503);
    expect(Number(refused.response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Date.now() - asked).toBeLessThan(11_000);

    const [, how] = await Promise.all([sse.end(), webSocket.end()]);
    expect(how).toMatchObject({ code: 1013 });
    way.mend();
    const cursor = sse.received.at(-1)?.id ?? '';
    const next = await eventually(
      'stream',
      async () => {
        const probe = await SseProbe.open(gateway.url, {
          token: member.token,
          query: { last_event_id: cursor },
        });
        return probe.response.status === 200 ? probe : undefined;
      },
      25_000,
    );
    expect((await next.message('Connected')).message).toMatchObject({ resumed: 'resumed' });
    next.close();
    expect(gateway.output).toContain('closed (unconfirmed) 2');
  });

  it('does not save the stream of a token that was deleted meanwhile', async () => {
    const probe = await SseProbe.open(gateway.url, { token: member.token });
    await probe.message('Connected');
    way.pause();
    // Longer than a query may take, and shorter than a stream may stay unconfirmed.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    way.mend();
    await member.call('GET', '/auth/logout');
    await probe.message('Revoked');
  });
});
