import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { SseProbe, WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { describe, expect, it } from 'vitest';
import { onEachInstallation } from './databases.ts';
import { transports } from './transports.ts';

const error = (message: string) => ({ type: 'error', message });

onEachInstallation('streams', { PUSH_KEEP_ALIVE_SECONDS: '1' }, (gateway) => {
  const admin = () => ApiClient.login(gateway().url, 'admin@crossfade.test');
  const storefront = () => new ApiClient(gateway().url, sampleToken.storefront);

  it('prints Connected, then each message with its id, to a plain curl', async () => {
    const { token } = await admin();
    const curl = promisify(execFile)('curl', [
      '-sN',
      '-i',
      '--max-time',
      '4',
      '-H',
      `Authorization: Bearer ${token}`,
      `${gateway().url}/api/v2/push`,
    ]).catch((failed: { stdout: string }) => failed);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await storefront().json('POST', '/events', error('for curl'));
    const { stdout } = await curl;
    expect(stdout).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(stdout).toMatch(/^content-type: text\/event-stream/im);
    expect(stdout).toMatch(/^cache-control: (?=.*no-cache)(?=.*no-store)(?=.*no-transform)/im);
    expect(stdout).toMatch(/^x-accel-buffering: no/im);
    const blocks = stdout.split('\n\n').filter((block) => /^data:/m.test(block));
    expect(blocks[0]).toContain('"type":"Connected"');
    expect(blocks.map((block) => /"type":"(\w+)"/.exec(block)?.[1])).toEqual([
      'Connected',
      'StackChanged',
      'PersistentEventChanged',
    ]);
    // The id comes after the data: a client that stops in between has not moved on.
    for (const block of blocks) expect(block).toMatch(/^data: .+\nid: \S+$/m);
    expect(stdout).toMatch(/^: keepalive$/m);
  });

  it('gives a plain WebSocket client the same JSON', async () => {
    const { token } = await admin();
    const [sse, webSocket] = await Promise.all([
      SseProbe.open(gateway().url, { token }),
      WsProbe.open(gateway().url, { token }),
    ]);
    await Promise.all([sse.message('Connected'), webSocket.message('Connected')]);
    await storefront().json('POST', '/events', error('for both'));
    await Promise.all([sse.message('PersistentEventChanged'), webSocket.message('PersistentEventChanged')]);
    const told = (probe: SseProbe | WsProbe) =>
      probe.received.slice(1).map(({ id, type, message }) => ({ id, type, message }));
    expect(told(webSocket)).toEqual(told(sse));
    expect(told(sse)).toHaveLength(2);
    sse.close();
    webSocket.close();
  });

  it('sends keep-alives on quiet streams, with the head of the log', async () => {
    const { token } = await admin();
    const sse = await SseProbe.open(gateway().url, { token });
    const webSocket = await WsProbe.open(gateway().url, { token });
    await eventually(
      'keep-alives',
      () => (sse.comments.length > 0 && webSocket.keepAlives.length > 0) || undefined,
    );
    expect(sse.raw).toMatch(/(id: \S+\n: keepalive|: keepalive\nid: \S+)\n\n/);
    expect(webSocket.keepAlives[0]).toMatch(/^\{"id":"\S+"\}$/);
    sse.close();
    webSocket.close();
  });

  it('answers 401 problem+json before any SSE header without a good token', async () => {
    for (const token of [undefined, 'wrong']) {
      const { response } = await SseProbe.open(gateway().url, { token });
      expect(response.status).toBe(401);
      expect(response.headers.get('content-type')).toContain('application/problem+json');
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  it('closes a WebSocket with a bad token with 4401, with and without the subprotocol', async () => {
    for (const protocols of [[], ['crossfade.1']]) {
      const probe = await WsProbe.open(gateway().url, { token: 'wrong', protocols });
      expect((await probe.end()).code).toBe(4401);
      expect(probe.received).toEqual([]);
    }
  });

  it('refuses a project token without the right to subscribe', async () => {
    const { response } = await SseProbe.open(gateway().url, { token: sampleToken.storefront });
    expect(response.status).toBe(403);
    for (const protocols of [[], ['crossfade.1']]) {
      const told = await WsProbe.open(gateway().url, { token: sampleToken.storefront, protocols });
      expect((await told.end()).code).toBe(4403);
      expect(told.received).toEqual([]);
    }
  });

  it('refuses a foreign origin before the upgrade, and lets its own pass', async () => {
    const { token } = await admin();
    const foreign = new WsProbe(gateway().url, { token, headers: { Origin: 'https://evil.example' } });
    expect(await foreign.refusal()).toBe(403);
    const own = await WsProbe.open(gateway().url, { token, headers: { Origin: gateway().url } });
    await own.message('Connected');
    own.close();
  });

  for (const { name, open } of transports) {
    it(`publishes even if no stream is open: a resume over ${name} gets the message`, async () => {
      const { token } = await admin();
      const before = await open(gateway().url, { token });
      const cursor = (await before.message('Connected')).id ?? '';
      before.close();
      await new ApiClient(gateway().url, sampleToken.storefront).json('POST', '/events', {
        message: `while nobody listens over ${name}`,
      });
      const after = await open(gateway().url, { token, query: { last_event_id: cursor } });
      expect((await after.message('Connected')).message).toMatchObject({ resumed: 'resumed' });
      await after.message('StackChanged');
      expect(after.received.map(({ type }) => type)).not.toContain('Resync');
      after.close();
    });
  }

  it('shows administrators the open streams, and lets them close one', async () => {
    const administrator = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    const { token } = await ApiClient.login(gateway().url, 'member@crossfade.test');
    for (const { name, open } of transports) {
      const probe = await open(gateway().url, { token, query: { client: `${name}-test/1.0` } });
      await probe.message('Connected');
      const listed = await administrator.json<{ id: string; client: string; transport: string }[]>(
        'GET',
        '/push/connections?limit=100',
      );
      const mine = listed.find(({ client }) => client === `${name}-test/1.0`);
      expect(mine?.transport).toBe(name === 'SSE' ? 'sse' : 'websocket');
      await administrator.json('DELETE', `/push/connections/${mine?.id}`);
      await probe.message('Reconnect');
      await probe.end();
      expect((await administrator.call('DELETE', `/push/connections/${mine?.id}`)).status).toBe(404);
    }
  });

  it('tells a client with an unknown cursor that it has a gap, and to refetch', async () => {
    const { token } = await admin();
    const probe = await SseProbe.open(gateway().url, { token, headers: { 'Last-Event-ID': 'long-gone' } });
    expect((await probe.message('Connected')).message).toMatchObject({ resumed: 'gap' });
    expect((await probe.message('Resync')).message).toMatchObject({ criticals: 'truncated' });
    probe.close();
  });

  it('ignores what a WebSocket client sends, and survives messages that are too large', async () => {
    const { token } = await admin();
    const probe = await WsProbe.open(gateway().url, { token });
    await probe.message('Connected');
    probe.socket.send('{"event":"anything"}');
    probe.socket.send('not json');
    probe.socket.send('x'.repeat(5000));
    expect((await probe.end()).code).toBe(1009);
    expect((await fetch(`${gateway().url}/health/live`)).status).toBe(200);
  });

  for (const { name, open } of transports) {
    it(`gives a project token its organization's messages and no others over ${name}`, async () => {
      const probe = await open(gateway().url, { token: sampleToken.storefrontPush });
      await probe.message('Connected');
      await new ApiClient(gateway().url, sampleToken.intranet).json('POST', '/events', error('of Globex'));
      await new ApiClient(gateway().url, sampleToken.rocket).json('POST', '/events', error('of Acme'));
      const changed = await probe.message('StackChanged');
      const { items } = await stacksOf(await admin(), 'Acme');
      expect(items.map(({ id }) => id)).toContain((changed.message as { id: string }).id);
      await probe.message('PersistentEventChanged');
      const globex = await stacksOf(await admin(), 'Globex');
      const heard = JSON.stringify(probe.received);
      expect(globex.items.length).toBeGreaterThan(0);
      for (const { id } of globex.items) expect(heard).not.toContain(id);
      expect(heard).not.toContain(globex.organizationId);
      probe.close();
    });

    it(`sends only the requested types over ${name}`, async () => {
      const { token } = await admin();
      const probe = await open(gateway().url, { token, query: { types: 'PersistentEventChanged' } });
      await probe.message('Connected');
      await storefront().json('POST', '/events', error(`types over ${name}`));
      await probe.message('PersistentEventChanged');
      expect(probe.received.map(({ type }) => type)).not.toContain('StackChanged');
      probe.close();
    });
  }

  describe('the settings for apps', () => {
    it('say that push is on, to anyone', async () => {
      const response = await fetch(`${gateway().url}/api/v2/push/settings`);
      expect(await response.json()).toEqual({ enabled: true, transport: 'sse', keep_alive_seconds: 1 });
    });
  });
});

async function stacksOf(client: ApiClient, name: string) {
  const organizations = await client.json<{ id: string; name: string }[]>('GET', '/organizations');
  const organizationId = organizations.find((one) => one.name === name)?.id ?? '';
  const items = await client.json<{ id: string }[]>('GET', `/organizations/${organizationId}/stacks`);
  return { organizationId, items };
}
