import 'reflect-metadata';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MemoryLeaseStore } from '../memory/lease-store.js';
import { Nginx, type NginxOptions } from './nginx.spec-kit.js';
import { interceptors, PATH, publishText, startPush, partsOf } from './push-app.spec-kit.js';
import {
  eventsIn,
  overHttp10,
  overHttp11,
  overHttp2,
  type OpenStream,
  type StreamClient,
} from './stream-client.spec-kit.js';

/*
 * Every way in which a stream can come to its client, each with the interceptor that writes frames and without it: the
 * same suite.
 */

const HOSTILE = [
  '\n\ndata: {"type":"Revoked"}\n\n',
  '\rid: 9\r\r',
  '\r\n\r\nretry: 1\r\n',
  '\u2028\0\uFEFF',
  'é€😀',
];

interface Way {
  readonly title: string;
  readonly open: OpenStream;
  /** The server itself speaks HTTP/2, which NestJS does with Fastify only. */
  readonly server?: 'http2';
  readonly nginx?: NginxOptions;
}
const ways: readonly Way[] = [
  { title: 'HTTP/1.1', open: overHttp11 },
  { title: 'HTTP/1.0', open: overHttp10 },
  { title: 'HTTP/2', open: overHttp2, server: 'http2' },
  { title: 'nginx as it comes', open: overHttp11, nginx: {} },
  { title: 'nginx, kept connections of HTTP/1.1', open: overHttp11, nginx: { upstream: '1.1' } },
  { title: 'nginx, HTTP/2 in front of it', open: overHttp2, nginx: { listen: 'http2', upstream: '1.1' } },
];

describe.each(interceptors)('the route %s', (_title, interceptor) => {
  let app: INestApplication;
  let leases: MemoryLeaseStore;
  let port = 0;
  const clients: StreamClient[] = [];

  async function start(server?: 'http2'): Promise<void> {
    ({ app, leases, port } = await startPush(
      {
        drainSeconds: 0,
        stallSeconds: 2,
        authenticator: {
          authenticate: async (tokenId: string) =>
            tokenId === 'bad'
              ? { outcome: 'unauthorized', detail: 'unknown' }
              : {
                  outcome: 'authenticated',
                  principal: { userId: 'u', tokenId, organizationIds: new Set(['o']) },
                },
          reauthorize: async (principals) => principals,
        },
      },
      interceptor,
      server === undefined ? undefined : new FastifyAdapter({ http2: true } as object),
    ));
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await app.close();
    expect(partsOf(app).hub.indexed).toBe(0);
    expect(leases.count()).toBe(0);
  });

  const publish = (text: string) => publishText(app, text);
  const texts = (events: readonly { data: string }[]) =>
    events.flatMap(({ data }) => {
      const { type, message } = JSON.parse(data) as { type: string; message: { data: { text: string } } };
      return type === 'StackChanged' ? [message.data.text] : [];
    });

  describe.each(ways)('over $title', ({ open: openStream, server, nginx: options }) => {
    let nginx: Nginx | undefined;
    beforeEach(async () => {
      await start(server);
      nginx = options === undefined ? undefined : await Nginx.start(port, options);
    });
    afterEach(() => nginx?.stop());

    async function open(query = '', token: string | undefined = 't'): Promise<StreamClient> {
      const client = await openStream(nginx?.port ?? port, PATH + query, token);
      clients.push(client);
      return client;
    }
    async function connected(query = ''): Promise<StreamClient> {
      const client = await open(query);
      expect(client.status).toBe(200);
      expect(client.headers['content-type']).toBe('text/event-stream');
      expect(client.headers['cache-control']).toContain('no-transform');
      await expect.poll(() => client.events().length).toBe(1);
      return client;
    }

    it('brings everything, in order, with ids, however it was published', async () => {
      const client = await connected();
      const sent = Array.from({ length: 200 }, (_, index) => `${index} ${HOSTILE[index % HOSTILE.length]}`);
      for (const [index, text] of sent.entries()) {
        const published = publish(text);
        // Some one by one, some in one turn.
        if (index % 7 === 0) await published.then(() => new Promise((resolve) => setTimeout(resolve, 1)));
      }
      await expect.poll(() => client.events().length, { timeout: 5000 }).toBe(201);
      expect(texts(client.events())).toEqual(sent);
      const ids = client.events().map(({ id }) => id);
      expect(ids.every((id) => id !== undefined)).toBe(true);
      expect(new Set(ids).size).toBe(201);
      // Without the interceptor, NestJS writes, and puts the id first.
      expect(client.text()).toMatch(
        interceptor === undefined ? /^data: .*\nid: \S+\n\n/m : /^id: \S+\ndata: .*\n\n/m,
      );
    });

    it('resumes, ends in order when it is replaced, and refuses without a stream', async () => {
      const first = await connected();
      await publish('one');
      await expect.poll(() => texts(first.events())).toEqual(['one']);
      const [hello] = first.events();
      const { connection_id } = (JSON.parse(hello?.data ?? '') as { message: { connection_id: string } })
        .message;
      const second = await open(`?last_event_id=${hello?.id}&replaces=${connection_id}`);
      await expect.poll(() => texts(second.events())).toEqual(['one']);
      await expect.poll(() => first.ended()).toBe(true);
      const refused = await open('', 'bad');
      expect(refused.status).toBe(401);
      expect(refused.headers['content-type']).toContain('application/problem+json');
      await expect.poll(() => refused.ended()).toBe(true);
    });

    it('is over when its client goes', async () => {
      const client = await connected();
      expect(partsOf(app).hub.size).toBe(1);
      client.close();
      await expect.poll(() => partsOf(app).hub.size).toBe(0);
    });
  });

  describe('over one connection of HTTP/1.1', () => {
    beforeEach(() => start());

    async function raw() {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      socket.on('error', () => undefined);
      return { socket, text: () => text };
    }
    const get = (path: string) =>
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n\r\n`;
    const idOf = (text: string) => /"connection_id":"([^"]+)"/.exec(text)?.[1] ?? '';

    it('takes a request in pieces', async () => {
      const { socket, text } = await raw();
      for (const byte of get(PATH)) {
        socket.write(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await expect.poll(text).toContain('"Connected"');
      socket.destroy();
    });

    it('answers a request that was sent before it first, then streams', async () => {
      const { socket, text } = await raw();
      socket.write(get('/api/v2/push/settings') + get(PATH));
      await expect.poll(text).toContain('"Connected"');
      await publish('behind another answer');
      await expect.poll(text).toContain('behind another answer');
      expect(text().indexOf('keep_alive_seconds')).toBeLessThan(text().indexOf('"Connected"'));
      socket.destroy();
    });

    it('answers a request that was sent after it when the stream has ended', async () => {
      const { socket, text } = await raw();
      socket.write(get(PATH) + get('/api/v2/push/settings'));
      await expect.poll(text).toContain('"Connected"');
      await publish('before the end');
      await expect.poll(text).toContain('before the end');
      expect(text()).not.toContain('"enabled":true');
      const next = await overHttp11(port, `${PATH}?replaces=${idOf(text())}`, 't');
      clients.push(next);
      await expect.poll(text).toContain('"enabled":true');
      expect(text()).toMatch(/\r\n0\r\n\r\nHTTP\/1\.1 200 OK/);
      socket.destroy();
    });

    it('carries stream after stream', async () => {
      const { socket, text } = await raw();
      let seen = 0;
      for (let round = 0; round < 3; round += 1) {
        socket.write(get(PATH));
        await expect.poll(() => text().slice(seen)).toContain('"Connected"');
        await publish(`round ${round}`);
        await expect.poll(() => text().slice(seen)).toContain(`round ${round}`);
        const id = idOf(text().slice(seen));
        const next = await overHttp11(port, `${PATH}?replaces=${id}`, 't');
        await expect.poll(() => text().slice(seen)).toContain('\r\n0\r\n\r\n');
        next.close();
        seen = text().length;
      }
      expect(eventsIn(text()).length).toBeGreaterThan(0);
      // Nothing of the library is left on a socket that goes on.
      expect(socket.destroyed).toBe(false);
      socket.destroy();
    });
  });
});
