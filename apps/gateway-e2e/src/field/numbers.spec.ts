import { SseProbe } from '@crossfade/protocol/testing';
import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { beforeAll, expect, it } from 'vitest';
import { onEachDatabase } from '../databases.ts';

/** Numbers as they are sent, and as they are read. */
const numbers: readonly (readonly [string, string])[] = [
  ['9007199254740993', '9007199254740993'],
  ['-9007199254740993', '-9007199254740993'],
  ['9223372036854775807', '9223372036854775807'],
  ['18446744073709551615', '18446744073709551615'],
  ['340282366920938463463374607431768211455', '340282366920938463463374607431768211455'],
  ['0.1234567890123456789', '0.1234567890123456789'],
  ['12345678901234567.89', '12345678901234567.89'],
  ['1000000000000000000000000', '1000000000000000000000000'],
  [`1${'0'.repeat(98)}1`, `1${'0'.repeat(98)}1`],
  // Numbers that JavaScript can represent are written in its own form.
  ['9007199254740991', '9007199254740991'],
  ['1717171717171717', '1717171717171717'],
  ['0', '0'],
  ['-0', '0'],
  ['1.50', '1.5'],
  ['1e3', '1000'],
  // Numbers beyond its range become null.
  ['1e400', 'null'],
  ['-1e400', 'null'],
  ['1e131071', 'null'],
  ['9'.repeat(400), 'null'],
];

onEachDatabase('numbers that JavaScript would change', {}, (gateway) => {
  let member: ApiClient;
  let client: ApiClient;
  let project: string;
  beforeAll(async () => {
    member = await ApiClient.login(gateway().url, 'member@crossfade.test');
    client = new ApiClient(gateway().url, sampleToken.storefront);
    const projects = await member.json<{ id: string; name: string }[]>('GET', '/projects');
    project = projects.find(({ name }) => name === 'Storefront')?.id ?? '';
  });

  /** The text of the list with the newest event. */
  const newest = async () => (await member.call('GET', `/projects/${project}/events?limit=1`)).text();

  it('are unchanged in the data of an event, at any depth', async () => {
    for (const [sent, read] of numbers) {
      const text = `{"message":"counted","data":{"top":${sent},"list":[ ${sent} ,{"deep":${sent}}],"text":"${sent}"}}`;
      expect((await client.call('POST', '/events', text)).status, sent).toBe(202);
      const event = await newest();
      for (const part of [`"top":${read}`, `"list":[${read},{"deep":${read}}]`, `"text":"${sent}"`])
        expect(event, sent).toContain(part);
    }
  });

  it('in a large batch, too', async () => {
    const filler = JSON.stringify({ message: 'filler', data: { long: 'x'.repeat(40_000) } });
    const text = `[${Array.from({ length: 20 }, () => filler).join(',')},{"message":"last","date":"${new Date(Date.now() + 60_000).toISOString()}","data":{"id":9007199254740993}}]`;
    expect((await client.call('POST', '/events', text)).status).toBe(202);
    expect(await newest()).toContain('"id":9007199254740993');
  });

  it('and in the description of an event', async () => {
    const date = new Date(Date.now() + 120_000).toISOString();
    await client.json('POST', '/events', { message: 'described', reference_id: 'counted', date });
    const said = '{"description":"d","data":{"account":9223372036854775807}}';
    expect((await client.call('POST', '/events/by-ref/counted/user-description', said)).status).toBe(202);
    expect(await newest()).toContain('"account":9223372036854775807');
  });

  it('and name a user, whose heartbeat finds the event', async () => {
    const date = new Date(Date.now() + 150_000).toISOString();
    const session = `{"type":"session","date":"${date}","value":12345678901234567890,"data":{"@user":{"identity":9007199254740993}}}`;
    expect((await client.call('POST', '/events', session)).status).toBe(202);
    for (const other of ['9007199254740992', '9007199254740994'])
      expect((await client.call('GET', `/events/session/heartbeat?id=${other}`)).status).toBe(200);
    expect(await newest()).not.toContain('@session');
    expect((await client.call('GET', '/events/session/heartbeat?id=9007199254740993')).status).toBe(200);
    const event = await newest();
    expect(event).toContain('"@session"');
    expect(event).toContain('"value":12345678901234567000');
  });

  it('and in the message of a service', async () => {
    const organizations = await member.json<{ id: string; name: string }[]>('GET', '/organizations');
    const acme = organizations.find(({ name }) => name === 'Acme')?.id ?? '';
    const probe = await SseProbe.open(gateway().url, { token: member.token });
    await probe.message('Connected');
    const message = `{"type":"Invoice","organization_id":"${acme}","change_type":1,"data":{"account":18446744073709551615}}`;
    const service = new ApiClient(gateway().url, sampleToken.service);
    expect(
      (await service.call('POST', '/push/messages', `{"type":"InvoiceChanged","message":${message}}`)).status,
    ).toBe(202);
    await probe.message('InvoiceChanged');
    expect(probe.raw).toContain('"account":18446744073709551615');
    probe.close();
  });

  it('are never taken for a text, a list or an event', async () => {
    const long = '9007199254740993';
    const fields = `"type":${long},"message":${long},"source":${long},"date":${long},"tags":[${long},"a"],"reference_id":${long},"count":${long}`;
    const date = new Date(Date.now() + 180_000).toISOString();
    expect((await client.call('POST', '/events', `[${long},{${fields},"data":${long}}]`)).status).toBe(202);
    const inData = `{"date":"${date}","data":{"@error":${long},"@stack":${long},"@simple_error":[${long}]}}`;
    expect((await client.call('POST', '/events', inData)).status).toBe(202);
    const events = await member.json<object[]>('GET', `/projects/${project}/events?limit=100`);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'log', message: null, tags: ['a'], reference_id: null, data: {} }),
    );
    expect((await member.call('POST', '/organizations', `{"name":${long}}`)).status).toBe(400);
    expect((await client.call('POST', '/events', long)).status).toBe(400);
  });
});
