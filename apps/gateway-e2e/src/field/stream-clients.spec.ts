import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { otherClients } from '../other-clients.ts';
import { RecordingProxy } from '../recording-proxy.ts';
import {
  BUFFER_BYTES,
  BoundedWebSocket,
  ParserReader,
  ScanningReader,
  type BoundedReader,
} from './bounded-readers.ts';

/*
 * Habits of other people's clients that docs/clients.md describes, and how the gateway accommodates them.
 */

const MOST_BYTES = 200_000;

let host: GatewayHost;
let admin: ApiClient;
let acme: string;
const running: { stop(): void | Promise<void> }[] = [];

beforeAll(async () => {
  host = await GatewayHost.start({
    databaseUrl: newDatabase(inject('postgresPort')),
    env: {
      PUSH_MAX_MESSAGE_BYTES: String(MOST_BYTES),
      PUSH_KEEP_ALIVE_SECONDS: '1',
      PUSH_MAX_CONNECTIONS_PER_USER: '100',
    },
  });
  admin = await ApiClient.login(host.url, 'admin@crossfade.test');
  const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
  acme = organizations.find(({ name }) => name === 'Acme')?.id ?? '';
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
});
afterAll(() => host.stop());

const publish = (message: unknown) =>
  new ApiClient(host.url, sampleToken.service).call('POST', '/push/messages', message);
/** A critical message to everyone: it must arrive. */
const critical = (message: string) => ({
  type: 'SystemNotification',
  message: { date: '2026-01-01T00:00:00Z', message },
});
const invalidation = (text: string, number = 0) => ({
  type: 'StackChanged',
  message: {
    type: 'Stack',
    id: `00000000-0000-4000-8000-00000000000${number}`,
    organization_id: acme,
    change_type: 1,
    data: { text },
  },
});

describe('a client that sends its cursor in its own way', () => {
  it.each(['event-source-polyfill 1.0.31', 'react-native-sse 1.2.1'])(
    '%s gets what was published while it was away, once',
    async (name) => {
      const client = otherClients.find((one) => one.name === name);
      const proxy = await RecordingProxy.before(host.url);
      const heard: string[] = [];
      const member = await ApiClient.login(host.url, 'member@crossfade.test');
      const stop = await client?.open(proxy.url, member.token ?? '', (_id, envelope) =>
        heard.push((envelope?.message as { message?: string } | undefined)?.message ?? envelope?.type ?? ''),
      );
      running.push({
        async stop() {
          await stop?.();
          proxy.close();
        },
      });
      await eventually('Connected', () => heard.includes('Connected') || undefined);
      await publish(critical(`before ${name}`));
      await eventually('message', () => heard.includes(`before ${name}`) || undefined);
      await endStreams(member);
      await eventually('end', async () => ((await streamsOf(member)).length === 0 ? true : undefined));
      await publish(critical(`while ${name} is away`));
      await eventually('message', () => heard.includes(`while ${name} is away`) || undefined);
      expect(heard.filter((text) => text.includes('away'))).toHaveLength(1);
      expect(heard).not.toContain('Resync');
      expect(proxy.attempts).toHaveLength(2);
      expect(proxy.attempts[1]?.cursor).toBeDefined();
    },
  );
});

const streamsOf = async (person: ApiClient) => {
  const { id } = await person.json<{ id: string }>('GET', '/users/me');
  const all = await admin.json<{ id: string; user_id?: string }[]>('GET', '/push/connections?limit=100');
  return all.filter(({ user_id }) => user_id === id);
};

async function endStreams(person: ApiClient): Promise<void> {
  for (const { id } of await streamsOf(person)) await admin.json('DELETE', `/push/connections/${id}`);
}

const kinds: readonly (readonly [
  string,
  new (url: string, query: Record<string, string>) => BoundedReader,
])[] = [
  ["a reader of lines like Go's Scanner", ScanningReader],
  ['eventsource-parser with a bound', ParserReader],
  ['ws with a bound', BoundedWebSocket],
];

/** One client of each kind, with and without a name. */
async function openReaders(): Promise<ReadonlyMap<string, BoundedReader>> {
  const readers = new Map<string, BoundedReader>();
  for (const [name, Reader] of kinds)
    for (const query of [{ client: 'bounded/1.0' }, {}] as const) {
      const { token = '' } = await ApiClient.login(host.url, 'admin@crossfade.test');
      const reader = new Reader(host.url, { access_token: token, ...query }).start();
      running.push(reader);
      readers.set(`${name} ${JSON.stringify(query)}`, reader);
    }
  await allHear(readers, 'Connected');
  return readers;
}

async function allHear(readers: ReadonlyMap<string, BoundedReader>, text: string): Promise<void> {
  for (const [name, { heard }] of readers)
    await eventually(`"${text}" at ${name}`, () => heard.includes(text) || undefined);
}

describe('a client that cannot read more than 64 KiB at once', () => {
  it.each([
    ['a message that is too long', () => [invalidation('x'.repeat(100_000))], 'complete'],
    ['one that must arrive', () => [critical('x'.repeat(100_000))], 'truncated'],
    ['several', () => [1, 2, 3].map((number) => invalidation('x'.repeat(70_000), number)), 'complete'],
    ['characters of several bytes', () => [invalidation('漢'.repeat(66_000))], 'complete'],
  ])('is led past %s, told so, and gets what comes after', async (what, messages, criticals) => {
    const readers = await openReaders();
    for (const message of [...messages(), critical(`after ${what}`)])
      expect((await publish(message)).status).toBe(202);
    await allHear(readers, `after ${what}`);
    const counts = new Map<string, number>();
    for (const [name, { streams, resyncs }] of readers) {
      counts.set(name, streams);
      expect(resyncs, name).toEqual([`too_large ${criticals}`]);
      // The first stream, three that begin before the same message, and the one that is led past it. A stream that begins
      // before the gateway has seen the end of the last one does not count.
      expect(streams, name).toBeGreaterThanOrEqual(5);
      expect(streams, name).toBeLessThan(10);
    }
    expect((await publish(critical(`then ${what}`))).status).toBe(202);
    await allHear(readers, `then ${what}`);
    for (const [name, { streams }] of readers) expect(streams, name).toBe(counts.get(name));
  });

  it('reads everything where the gateway takes no larger messages, the largest included', async () => {
    const envelope = invalidation('');
    const size = (message: unknown) => Buffer.byteLength(JSON.stringify(message));
    const withBytes = (bytes: number) =>
      invalidation(
        '漢'.repeat(Math.floor((bytes - size(envelope)) / 3)) + 'x'.repeat((bytes - size(envelope)) % 3),
      );
    expect(size(withBytes(MOST_BYTES))).toBe(MOST_BYTES);
    expect((await publish(withBytes(MOST_BYTES))).status).toBe(202);
    const refused = await publish(withBytes(MOST_BYTES + 1));
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({
      errors: [
        { path: 'message', message: `StackChanged has 200001 bytes as JSON; a message may have 200000` },
      ],
    });
    // Several are all stored, or none.
    expect((await publish([invalidation('fits'), withBytes(MOST_BYTES + 1)])).status).toBe(400);
    expect(BUFFER_BYTES).toBeLessThan(MOST_BYTES);
  });
});

describe('a client that makes an event of a keep-alive', () => {
  it('gets one without data, and the messages after it', async () => {
    const client = otherClients.find(({ name }) => name.startsWith('@microsoft/fetch-event-source'));
    const heard: (string | undefined)[] = [];
    const stop = await client?.open(host.url, admin.token ?? '', (_id, envelope) =>
      heard.push(envelope?.type),
    );
    running.push({ stop: () => stop?.() });
    await eventually('keep-alive', () => heard.includes(undefined) || undefined);
    await publish(critical('after a keep-alive'));
    await eventually('message', () => heard.includes('SystemNotification') || undefined);
  });
});
