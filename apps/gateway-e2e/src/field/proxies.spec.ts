import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { SseProbe, WsProbe } from '@crossfade/protocol/testing';
import {
  caddy,
  GatewayHost,
  haproxy,
  newDatabase,
  nginx,
  ProxyHost,
  sampleToken,
  type ProxyProgram,
} from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { exercises } from '../exercises.ts';
import { byFetch, operationsOf, type Answered, type Operation, type Sent } from '../operations.ts';
import { makeWorld, type World } from '../world.ts';
import { curl } from './curl.ts';
import { JavaClient, type BodyForm } from './java-client.ts';

/*
 * Clients that offer HTTP/2 (`Upgrade: h2c`) with every request, directly and through proxies, some of which pass the
 * offer on: they must see what all others see.
 */

const PROXIES: readonly ProxyProgram[] = [haproxy, caddy, nginx('1.1')];
const WAYS = ['no proxy', ...PROXIES.map(({ name }) => name)];
const STREAM = 'GET /api/v2/push';

let gateway: GatewayHost;
let java: JavaClient;
let world: World;
let operations: Operation[];
const proxies: ProxyHost[] = [];
const urls = new Map<string, string>();

beforeAll(async () => {
  java = JavaClient.start();
  gateway = await GatewayHost.start({
    databaseUrl: newDatabase(inject('postgresPort')),
    env: {
      ENABLE_SIGNUP: 'true',
      TRUST_PROXY: '1',
      API_THROTTLE_PER_MINUTE: '0',
      INGEST_THROTTLE_PER_MINUTE: '0',
      PUSH_MAX_CONNECTIONS_PER_USER: '100',
    },
  });
  urls.set('no proxy', gateway.url);
  for (const proxy of await Promise.all(PROXIES.map((program) => ProxyHost.start(program, gateway.url))))
    urls.set(PROXIES[proxies.push(proxy) - 1]?.name ?? '', proxy.url);
  ({ operations } = await operationsOf(gateway.url));
  operations = operations.filter(({ name }) => name !== STREAM);
  world = await makeWorld(gateway);
});
afterAll(async () => {
  expect(gateway.output.split('\n').filter((line) => line.includes('"level":50'))).toEqual([]);
  await Promise.all([java.stop(), ...proxies.map((proxy) => proxy.stop())]);
  await gateway.stop();
});

const urlOf = (way: string): string => urls.get(way) ?? '';

type Send = (url: string, sent: Sent, form?: BodyForm) => Promise<Answered>;
const CLIENTS: Readonly<Record<string, Send>> = {
  "Java's HttpClient": (url, sent, form) => java.send(url, sent, form),
  'curl --http2': curl,
};

/** Every client over every route. */
const TRIPS = WAYS.flatMap((way) => Object.entries(CLIENTS).map(([client, send]) => ({ way, client, send })));
/** For one of many requests: Java over every route, curl over one of them, a different one for each request. */
const tripsOf = (index: number) =>
  process.env['FIELD_FULL'] === '1'
    ? TRIPS
    : TRIPS.filter(({ way, client }) => client.startsWith('Java') || way === WAYS[index % WAYS.length]);

describe.each(Object.entries(CLIENTS))('%s', (_client, send) => {
  it('offers HTTP/2 with every request, one with a body too', async () => {
    const heads: string[] = [];
    const server = createServer((socket) => {
      socket
        .on('error', () => undefined)
        .on('data', (chunk) => {
          heads.push(chunk.toString('latin1'));
          socket.end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
        });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const sent of [
      { method: 'GET', path: '/', headers: {} },
      { method: 'POST', path: '/', headers: {}, body: '{}' },
    ])
      expect((await send(url, sent)).status).toBe(204);
    expect(heads.filter((head) => /^upgrade: h2c\r$/im.test(head))).toHaveLength(2);
    server.close();
  });
});

describe('a request that offers HTTP/2', () => {
  const exerciseOf = ({ name }: Operation) => {
    const exercise = exercises[name];
    if (exercise === undefined) throw new Error(`${name} has no exercise`);
    return exercise;
  };

  it('gets the same response as one that does not, on every route that only reads', async () => {
    for (const [index, operation] of operations.filter(isReading).entries()) {
      const { good, is } = exerciseOf(operation);
      const asked = await good(world);
      const plain = await operation.call(asked);
      expect(plain.status, operation.name).toBe(is);
      await Promise.all(
        tripsOf(index).map(async ({ way, client, send }) => {
          const { status, text } = await operation.call(asked, (sent) => send(urlOf(way), sent));
          expect({ status, text }, `${operation.name}, ${client}, ${way}`).toEqual({
            status: plain.status,
            text: plain.text,
          });
        }),
      );
    }
  });

  it('has the same effect as one that does not, on every other route', async () => {
    for (const [index, operation] of operations.filter((one) => !isReading(one)).entries()) {
      const { good, is } = exerciseOf(operation);
      const plain = await operation.call(await good(world));
      expect(plain.status, operation.name).toBe(is);
      for (const { way, client, send } of tripsOf(index)) {
        const answer = await operation.call(await good(world), (sent) => send(urlOf(way), sent));
        expect(answer.status, `${operation.name}, ${client}, ${way}: ${answer.text}`).toBe(is);
        expect(shapeOf(answer.text), operation.name).toEqual(shapeOf(plain.text));
      }
    }
  });

  const event = (bytes: number) =>
    JSON.stringify({ message: 'from afar', data: { text: 'x'.repeat(bytes) } });
  const ingest = { Authorization: `Bearer ${sampleToken.storefront}`, 'Content-Type': 'application/json' };
  const post = (
    body: string | Buffer,
    headers: Record<string, string> = {},
    path = '/api/v2/events',
  ): Sent => ({
    method: 'POST',
    path,
    headers: { ...ingest, ...headers },
    body,
  });
  const bodies: Readonly<Record<string, readonly [Sent, number, BodyForm?]>> = {
    'a small one': [post(event(10)), 202],
    'one of 200 KiB': [post(event(200 * 1024)), 202],
    'one without a length': [post(event(200 * 1024)), 202, 'chunked'],
    'a small one without a length': [post(event(10)), 202, 'chunked'],
    'one that is compressed': [post(gzipSync(event(200 * 1024)), { 'Content-Encoding': 'gzip' }), 202],
    'a compressed one without a length': [
      post(gzipSync(event(100)), { 'Content-Encoding': 'gzip' }),
      202,
      'chunked',
    ],
    'one that waits to be asked for': [post(event(200 * 1024)), 202, 'expected'],
    'one that cannot be read': [post('{"broken'), 400],
    'one without a token': [post(event(10), { Authorization: 'Bearer nobody' }), 401],
    'one to a route that takes none': [post(event(10), {}, '/api/v2/users/me'), 404],
    'one to nowhere': [post(event(10), {}, '/api/v2/nowhere'), 404],
    'none, to nowhere': [{ method: 'GET', path: '/api/v2/nowhere?a=b', headers: {} }, 404],
    'none, by HEAD': [{ method: 'HEAD', path: '/api/v2/push/settings', headers: {} }, 200],
    'none, for the page of an app': [{ method: 'GET', path: '/next/', headers: {} }, 200],
  };

  it.each(Object.entries(bodies))('with a body (%s) is answered as any other', async (_what, row) => {
    const [sent, status, form] = row;
    const plain = await byFetch(gateway.url, sent);
    expect(plain.status, plain.text).toBe(status);
    await Promise.all(
      TRIPS.map(async ({ way, client, send }) => {
        // Caddy sends a 100 Continue and passes the gateway's on, too: Java waits forever after the second one.
        if (form === 'expected' && client.startsWith('Java') && way === 'Caddy') return;
        const answer = await send(urlOf(way), sent, form);
        expect([answer.status, answer.text], `${client}, ${way}`).toEqual([status, plain.text]);
        expect(answer.headers.get('content-type'), client).toBe(plain.headers.get('content-type'));
      }),
    );
  });
});

describe.each(WAYS)('through %s', (way) => {
  it('a stream of Server-Sent Events and a WebSocket open at the same URL', async () => {
    const { token = '' } = world.member;
    for (const open of [SseProbe.open, WsProbe.open]) {
      const probe = await open(urlOf(way), { token });
      await probe.message('Connected');
      probe.close();
    }
  });

  it('both open from Java, whose stream offers HTTP/2', async () => {
    const sent = {
      method: 'GET',
      path: '/api/v2/push',
      headers: { Authorization: `Bearer ${world.member.token}` },
    };
    const stream = await java.stream(urlOf(way), sent);
    expect(stream.status).toBe(200);
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    expect(stream.text).toContain('"type":"Connected"');
    expect((await java.webSocket(urlOf(way), sent)).text).toContain('"type":"Connected"');
  });
});

/** The routes whose requests may be repeated. */
const isReading = ({ method, name }: Operation): boolean => method === 'get' && !name.endsWith('/logout');

/** The body of a response without what differs each time: ids, dates, secrets, counts. */
function shapeOf(text: string): unknown {
  const shape = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shape);
    if (typeof value !== 'object' || value === null) return value === null ? null : typeof value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shape(one)]));
  };
  return text === '' ? '' : shape(JSON.parse(text));
}
