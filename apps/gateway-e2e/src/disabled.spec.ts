import { SseProbe, WsProbe } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { expect, inject, it } from 'vitest';
import { onPostgres } from './databases.ts';

onPostgres('push switched off', { ENABLE_PUSH: 'false' }, (gateway) => {
  it('answers 404 on both transports, with and without a token', async () => {
    const { token } = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    for (const credential of [token, undefined]) {
      const { response } = await SseProbe.open(gateway().url, { token: credential });
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toContain('application/problem+json');
      expect(await new WsProbe(gateway().url, { token: credential }).refusal()).toBe(404);
    }
  });

  it('warns at start, tells the apps, and leaves the API as it is', async () => {
    expect(gateway().output).toContain('Push is switched off');
    expect(await (await fetch(`${gateway().url}/api/v2/push/settings`)).json()).toMatchObject({
      enabled: false,
    });
    const client = new ApiClient(gateway().url, sampleToken.storefront);
    expect((await client.call('POST', '/events', { type: 'error', message: 'still taken' })).status).toBe(
      202,
    );
  });
});

it('reads the deprecated names, with a warning, unless the new one is set', async () => {
  const start = (env: Record<string, string>) =>
    GatewayHost.start({ databaseUrl: newDatabase(inject('postgresPort')), env });
  const deprecated = await start({ EnableWebSockets: 'false' });
  expect(deprecated.output).toContain('EnableWebSockets is deprecated');
  expect((await SseProbe.open(deprecated.url, {})).response.status).toBe(404);
  await deprecated.stop();
  const both = await start({ ENABLE_WEB_SOCKETS: 'false', ENABLE_PUSH: 'true' });
  expect((await SseProbe.open(both.url, {})).response.status).toBe(401);
  await both.stop();
});
