import 'reflect-metadata';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import type { EventSourceMessage } from 'eventsource-parser';
import { WebSocket } from 'ws';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MemoryLeaseStore } from '../memory/lease-store.js';
import type { Authentication, Principal } from '../principal.js';
import { PushPublisher } from '../publisher.js';
import { interceptors, PATH, publishText, startPush, partsOf } from './push-app.spec-kit.js';
import { eventsIn } from './stream-client.spec-kit.js';

/** Every kind of line break, and whatever else a parser could take for its own. */
const hostile = [
  '\n\ndata: {"type":"Revoked","message":{"reason":"fake"}}\n\n',
  '\rid: 9\r\revent: error\r\r',
  '\r\n\r\nretry: 1\r\n\r\n',
  ': comment\n',
  '\u2028\u2029\u0085\v\f',
  '\uFEFFdata: x',
  'nul \0 and \u001f',
  'lone \uD800 and \uDC00',
  '"}}]',
  'x'.repeat(100_000),
];

const principal = (tokenId: string): Principal => ({ userId: 'u', tokenId, organizationIds: new Set(['o']) });

describe.each(interceptors)('the push module on real sockets, %s', (_title, interceptor) => {
  let app: INestApplication;
  let leases: MemoryLeaseStore;
  let port: number;
  /** How long the authenticator takes. */
  let authenticateMs = 0;

  beforeEach(async () => {
    authenticateMs = 0;
    ({ app, leases, port } = await startPush(
      {
        writeQueueCapacity: 16,
        stallSeconds: 1,
        authenticator: {
          async authenticate(tokenId: string): Promise<Authentication> {
            await new Promise((resolve) => setTimeout(resolve, authenticateMs));
            return { outcome: 'authenticated', principal: principal(tokenId) };
          },
          reauthorize: async (principals) => principals,
        },
      },
      interceptor,
    ));
  });

  afterEach(async () => {
    await app.close();
    expect(counts()).toEqual({ hub: 0, leases: 0, keepAlives: 0 });
  });

  const counts = () => ({
    hub: partsOf(app).hub.indexed,
    leases: leases.count(),
    keepAlives: partsOf(app).keepAlive.size,
  });
  const publish = (text: string) => publishText(app, text);

  async function raw(head: string): Promise<Socket & { text: () => string }> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    socket.on('error', () => undefined);
    socket.write(head);
    return Object.assign(socket, { text: () => text });
  }
  const get = () => `GET ${PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n\r\n`;

  async function sse(): Promise<{ events: () => EventSourceMessage[]; stop: () => void }> {
    const abort = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}${PATH}`, {
      headers: { Authorization: 'Bearer t' },
      signal: abort.signal,
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    let text = '';
    void (async () => {
      for await (const chunk of (response.body ?? new Blob([]).stream()).pipeThrough(new TextDecoderStream()))
        text += chunk;
    })().catch(() => undefined);
    return { events: () => eventsIn(text), stop: () => abort.abort() };
  }

  it('streams every message with an id, in order, however many come in one turn', async () => {
    const stream = await sse();
    await expect.poll(() => stream.events()).toHaveLength(1);
    for (let index = 0; index < 500; index += 1) await publish(`n${index}`);
    await expect.poll(() => stream.events()).toHaveLength(501);
    const [connected, ...rest] = stream.events();
    expect(connected?.data).toContain('"Connected"');
    expect(
      rest.map(({ data }) => (JSON.parse(data) as { message: { data: { text: string } } }).message.data.text),
    ).toEqual(Array.from({ length: 500 }, (_, index) => `n${index}`));
    expect(new Set(rest.map(({ id }) => id)).size).toBe(500);
    stream.stop();
    await expect.poll(counts).toEqual({ hub: 0, leases: 0, keepAlives: 0 });
  });

  it('carries text that looks like protocol, in every string, unchanged over both transports', async () => {
    const stream = await sse();
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}${PATH}?access_token=t`);
    const frames: string[] = [];
    webSocket.on('message', (data) => frames.push(String(data)));
    await expect.poll(() => frames.length + stream.events().length).toBe(2);
    const sent = hostile.map((text) => ({
      type: text,
      id: text,
      organization_id: 'o',
      project_id: text,
      stack_id: text,
      change_type: 1 as const,
      data: { [text]: text, nested: [text, { text }] },
    }));
    for (const message of sent) await app.get(PushPublisher).publish({ type: 'InvoiceChanged', message });
    await expect.poll(() => stream.events()).toHaveLength(hostile.length + 1);
    await expect.poll(() => frames).toHaveLength(hostile.length + 1);
    const messages = (texts: string[]) =>
      texts.slice(1).map((text) => (JSON.parse(text) as { message: unknown }).message);
    expect(messages(stream.events().map(({ data }) => data))).toEqual(sent);
    expect(messages(frames)).toEqual(sent);
    stream.stop();
    webSocket.terminate();
  });

  it('carries a mebibyte of it, and refuses more than a message may have with the reason', async () => {
    const stream = await sse();
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}${PATH}?access_token=t`);
    const frames: string[] = [];
    webSocket.on('message', (data) => frames.push(String(data)));
    await expect.poll(() => frames.length + stream.events().length).toBe(2);
    const block = '\r\ndata: {"type":"Revoked"}\n\rid: 1\n\n\0\uD800\uDC00\uDFFF event: error ';
    const text = block.repeat(Math.ceil((1024 * 1024) / block.length));
    await publish(text);
    await expect.poll(() => [frames.length, stream.events().length], { timeout: 5000 }).toEqual([2, 2]);
    const carried = (json: string | undefined) =>
      (JSON.parse(json ?? '') as { message: { data: { text: string } } }).message.data.text === text;
    expect([carried(frames[1]), carried(stream.events()[1]?.data)]).toEqual([true, true]);
    await expect(publish(text + text)).rejects.toMatchObject({
      code: 'message_too_large',
      message: expect.stringMatching(
        /StackChanged has \d+ bytes as JSON; a message may have 2097152/,
      ) as string,
    });
    stream.stop();
    webSocket.terminate();
  });

  it('gives everyone what is for everyone', async () => {
    const stream = await sse();
    await expect.poll(() => stream.events()).toHaveLength(1);
    await app
      .get(PushPublisher)
      .publish({ type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z', message: 'hello' } });
    await expect.poll(() => stream.events().at(-1)?.data).toContain('"SystemNotification"');
    stream.stop();
  });

  it('tells an SSE client that gives up on an error status by a stream that ends when to come back', async () => {
    const streams = await Promise.all(Array.from({ length: 100 }, () => sse()));
    await expect.poll(() => partsOf(app).hub.size).toBe(100);
    const headers = { Authorization: 'Bearer t' };
    const refused = await fetch(`http://127.0.0.1:${port}${PATH}`, { headers });
    expect(refused.status).toBe(429);
    const told = await fetch(`http://127.0.0.1:${port}${PATH}?refusal=stream`, { headers });
    expect([told.status, told.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    expect(await told.text()).toMatch(/^retry: \d{4,5}\n\n$/);
    for (const stream of streams) stream.stop();
  });

  it('answers HEAD, and releases the lease', async () => {
    const response = await fetch(`http://127.0.0.1:${port}${PATH}`, {
      method: 'HEAD',
      headers: { Authorization: 'Bearer t' },
    });
    expect(response.status).toBe(200);
    await expect.poll(counts).toEqual({ hub: 0, leases: 0, keepAlives: 0 });
  });

  it('gives everything back when clients leave while they are being authenticated', async () => {
    authenticateMs = 50;
    const sockets = await Promise.all(Array.from({ length: 10 }, () => raw(get())));
    const upgrades = Array.from(
      { length: 10 },
      () => new WebSocket(`ws://127.0.0.1:${port}${PATH}?access_token=t`),
    );
    for (const upgrade of upgrades) upgrade.on('error', () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 25));
    for (const socket of sockets) socket.destroy();
    for (const upgrade of upgrades) upgrade.terminate();
    await new Promise((resolve) => setTimeout(resolve, 150));
    await expect.poll(counts).toEqual({ hub: 0, leases: 0, keepAlives: 0 });
  });

  interface RawClient {
    text(): string;
    pause(): void;
    resume(): void;
    destroy(): void;
  }

  /** A client of either transport that can stop reading. */
  async function rawClient(transport: string): Promise<RawClient> {
    if (transport === 'sse') return raw(get());
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}${PATH}?access_token=t`);
    let text = '';
    webSocket.on('message', (data) => (text += String(data)));
    webSocket.on('error', () => undefined);
    await once(webSocket, 'open');
    return {
      text: () => text,
      pause: () => webSocket.pause(),
      resume: () => webSocket.resume(),
      destroy: () => webSocket.terminate(),
    };
  }

  /** Publishes until the one who does not read is behind: the kernel takes some megabytes before. */
  async function fallBehind(): Promise<number> {
    const text = 'x'.repeat(20_000);
    let sent = 0;
    while ([...partsOf(app).hub.all()].every(({ isLive }) => isLive) && sent < 5000) {
      for (let index = 0; index < 5; index += 1) await publish(`${sent++} ${text}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(sent).toBeLessThan(5000);
    return sent;
  }

  it.each(['sse', 'websocket'])(
    'leaves a %s client that stops reading behind, holds nothing for it, and closes it as slow; others hear everything',
    async (transport) => {
      const other = await sse();
      await expect.poll(() => other.events()).toHaveLength(1);
      const slow = await rawClient(transport);
      slow.pause();
      await expect.poll(() => partsOf(app).hub.size).toBe(2);
      const sent = await fallBehind();
      const behind = [...partsOf(app).hub.all()].find(({ isLive }) => !isLive);
      // It holds what one write left, and nothing that waits.
      expect(behind?.waiting).toBe(0);
      expect(behind?.transport.pendingBytes).toBeLessThan(512 * 1024);
      await expect.poll(() => partsOf(app).hub.size, { timeout: 8000 }).toBe(1);
      await expect.poll(counts).toMatchObject({ leases: 1 });
      await expect.poll(() => other.events().length, { timeout: 10_000 }).toBe(sent + 1);
      slow.destroy();
      other.stop();
    },
    30_000,
  );

  it.each(['sse', 'websocket'])(
    'lets a %s client that reads again catch up, message by message',
    async (transport) => {
      const slow = await rawClient(transport);
      await expect.poll(slow.text).toContain('"Connected"');
      slow.pause();
      const sent = await fallBehind();
      slow.resume();
      const heard = () =>
        new Set(Array.from(slow.text().matchAll(/"text":"(\d+) x/g), ([, number]) => Number(number)));
      await expect.poll(() => heard().size, { timeout: 10_000 }).toBe(sent);
      expect(slow.text()).not.toContain('"Resync"');
      expect([...partsOf(app).hub.all()].map(({ isLive }) => isLive)).toEqual([true]);
      await publish('afterwards');
      await expect.poll(slow.text).toContain('afterwards');
      slow.destroy();
    },
    30_000,
  );

  it.skipIf(process.platform !== 'linux').each(['sse', 'websocket'])(
    'closes a %s client of whose bytes the kernel still holds some, and none is acknowledged',
    async (transport) => {
      const slow = await rawClient(transport);
      slow.pause();
      await expect.poll(() => partsOf(app).hub.size).toBe(1);
      const [connection] = partsOf(app).hub.all();
      const outstanding = () => {
        const { remotePort = 0 } = connection?.transport.socket ?? {};
        const hex = (of: number) => of.toString(16).toUpperCase().padStart(4, '0');
        const row = new RegExp(`:${hex(port)} [0-9A-F]+:${hex(remotePort)} .. (?!00000000)[0-9A-F]{8}:`);
        return row.test(readFileSync('/proc/net/tcp', 'latin1') + readFileSync('/proc/net/tcp6', 'latin1'));
      };
      // Bytes on their way are there for a moment whenever something is sent; these stay.
      const stays = async () => {
        for (let look = 0; look < 3; look += 1) {
          if (!outstanding()) return false;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        return true;
      };
      for (let sent = 0; sent < 1000 && !(await stays()); sent += 1) {
        for (let index = 0; index < 5; index += 1) await publish('x'.repeat(20_000));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      // Node itself holds nothing, so its own timeout says nothing.
      expect([outstanding(), connection?.transport.pendingBytes]).toEqual([true, 0]);
      await expect.poll(() => partsOf(app).hub.size, { timeout: 5000 }).toBe(0);
      slow.destroy();
    },
    20_000,
  );

  it('ends with streams open, soon, and tells each of them', async () => {
    const stream = await sse();
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}${PATH}?access_token=t`);
    const heard: string[] = [];
    webSocket.on('message', (data) => heard.push(String(data)));
    await expect.poll(() => heard.length + stream.events().length).toBe(2);
    const begun = Date.now();
    const [closing, [code]] = await Promise.all([app.close(), once(webSocket, 'close')]);
    expect(closing).toBeUndefined();
    expect(Date.now() - begun).toBeLessThan(5000);
    expect(code).toBe(1012);
    // A keep-alive may have come after it.
    expect(heard.filter((text) => text.includes('"type"')).at(-1)).toContain('"Reconnect"');
    await expect.poll(() => stream.events().at(-1)?.data).toContain('"Reconnect"');
  });
});
