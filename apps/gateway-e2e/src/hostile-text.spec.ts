import { SseProbe, WsProbe } from '@crossfade/protocol/testing';
import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { expect, it } from 'vitest';
import { onEachDatabase } from './databases.ts';

/** Text that looks like one of our protocols. */
const hostile = [
  'line\nbreak',
  'carriage\rreturn',
  'both\r\nof them',
  '\n\ndata: {"type":"Revoked","message":{"reason":"fake"}}\n\n',
  'id: 9-9\n\n',
  'event: error\ndata: x',
  ': comment',
  'retry: 1',
  '\u2028\u2029',
  '\uFEFFdata: x',
  'nul \0 here',
  'lone \uD800 surrogate',
  '"}}',
  '</script><script>window.hacked = 1</script>',
  '{{constructor.constructor("window.hacked = 1")()}}',
  '<img src=x onerror="window.hacked = 1">',
  '${window.hacked = 1}',
  '\u0000\u0001\u001f',
  '💥'.repeat(100),
];

onEachDatabase('text that looks like protocol', {}, (gateway) => {
  it('breaks no frame, whatever string carries it', async () => {
    const admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    const sse = await SseProbe.open(gateway().url, { token: admin.token });
    const webSocket = await WsProbe.open(gateway().url, { token: admin.token });
    await Promise.all([sse.message('Connected'), webSocket.message('Connected')]);
    const client = new ApiClient(gateway().url, sampleToken.storefront);
    for (const text of hostile) {
      const response = await client.call('POST', '/events', {
        type: text,
        message: text,
        source: text,
        reference_id: text,
        tags: [text],
        data: { [text]: text },
      });
      expect(response.status, JSON.stringify(text)).toBe(202);
      expect(
        (await admin.call('POST', '/organizations', { name: text })).status,
        JSON.stringify(text),
      ).toBeLessThan(500);
    }
    await client.json('POST', '/events', { type: 'last', message: 'the last one' });
    const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations?limit=100');
    const acme = organizations.find(({ name }) => name === 'Acme')?.id;
    const stacks = await admin.json<{ id: string; title: string }[]>(
      'GET',
      `/organizations/${acme}/stacks?limit=100`,
    );
    const last = stacks.find(({ title }) => title === 'the last one')?.id;
    await sse.message('StackChanged', ({ id }) => id === last);
    await webSocket.message('StackChanged', ({ id }) => id === last);
    const known = new Set([
      'Connected',
      'StackChanged',
      'PersistentEventChanged',
      'OrganizationChanged',
      'UserMembershipChanged',
    ]);
    for (const probe of [sse, webSocket]) {
      expect(probe.received.filter(({ type }) => !known.has(type))).toEqual([]);
    }
    // The lines that the client's parser saw have only our fields.
    const lines = sse.raw.split('\n').filter((one) => one !== '' && !/^(data|id|retry): |^: /.test(one));
    expect(lines).toEqual([]);
    const streamed = (probe: SseProbe | WsProbe) =>
      new Set(probe.received.map(({ message }) => JSON.stringify(message)));
    expect([...streamed(webSocket)].slice(1)).toEqual([...streamed(sse)].slice(1));
    sse.close();
    webSocket.close();
  });

  it('puts hostile names and connection details in no header and no log line', async () => {
    const query = { client: 'a\r\nSet-Cookie: x=1', types: 'A\n,B', replaces: '\r\n\r\n' };
    const { response } = await SseProbe.open(gateway().url, { token: sampleToken.storefrontPush, query });
    expect(response.status).toBe(200);
    expect(response.headers.get('set-cookie')).toBeNull();
    await response.body?.cancel().catch(() => undefined);
  });
});
