import { once } from 'node:events';
import { WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { megabytesOf } from './processes.ts';
import { sendRaw, type RawSocket } from './raw-socket.ts';

const SECONDS = Number(process.env['ATTACK_SECONDS'] ?? 0.8);
/** A masked frame, with a mask of zeros. */
function frame(opcode: number, length: number, isLast = true): Buffer {
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255];
  return Buffer.concat([
    Buffer.from([(isLast ? 0x80 : 0) | opcode, ...size, 0, 0, 0, 0]),
    Buffer.alloc(length, '{'),
  ]);
}
const many = (bytes: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes));

const FLOODS = {
  'pings with as much data as is allowed': many(frame(9, 125)),
  'empty pings': many(frame(9, 0)),
  'texts of 4 KB': many(frame(1, 4096)),
  'empty binary messages': many(frame(2, 0)),
  'unsolicited pongs': many(frame(10, 125)),
  'a message of very many empty fragments': Buffer.concat([frame(1, 0, false), many(frame(0, 0, false))]),
  'invalid frames': many(Buffer.from([0xf3, 0x7f, 0x13, 0x37])),
};

describe('what WebSocket clients send', () => {
  let gateway: GatewayHost;
  let tokens: string[] = [];
  beforeAll(async () => {
    // On PostgreSQL, since the embedded database's memory grows for a while after its start.
    gateway = await GatewayHost.start({ databaseUrl: newDatabase(inject('postgresPort')) });
    const admin = await ApiClient.login(gateway.url, 'admin@crossfade.test');
    const [project] = await admin.json<{ id: string }[]>('GET', '/projects');
    tokens = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const body = { scopes: ['push:subscribe'] };
        return (await admin.json<{ token: string }>('POST', `/projects/${project?.id}/tokens`, body)).token;
      }),
    );
  });
  afterAll(() => gateway.stop());

  async function open(token: string | undefined): Promise<RawSocket> {
    const query = token === undefined ? '' : `?access_token=${token}`;
    const raw = await sendRaw(
      gateway.url,
      `GET /api/v2/push${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    await eventually('upgrade', () => raw.text().startsWith('HTTP/1.1 101') || undefined);
    return raw;
  }

  /** Sends as fast as the socket allows, reopens streams that end, and never reads. */
  async function flood(token: string | undefined, bytes: Buffer, until: number): Promise<void> {
    while (Date.now() < until) {
      const { socket } = await open(token).catch(() => ({ socket: undefined }));
      if (socket === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      socket.pause();
      while (!socket.destroyed && Date.now() < until) {
        if (socket.write(bytes)) await new Promise((resolve) => setImmediate(resolve));
        else await pause(10);
        // The backlog for a peer that does not read is in this process.
        if (socket.writableLength > 1024 * 1024) await pause(20);
        if (socket.writableLength > 4 * 1024 * 1024) socket.destroy();
      }
      socket.destroy();
    }
  }
  const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function healthDelays(until: number): Promise<number[]> {
    const delays: number[] = [];
    while (Date.now() < until) {
      const begun = performance.now();
      expect((await fetch(`${gateway.url}/health/ready`)).status).toBe(200);
      delays.push(performance.now() - begun);
      await pause(20);
    }
    return delays.sort((a, b) => a - b);
  }

  it.each(Object.entries(FLOODS))(
    'at full speed and without reading costs little if it is %s',
    async (_title, bytes) => {
      const before = megabytesOf(gateway.pid);
      const until = Date.now() + SECONDS * 1000;
      const delays = healthDelays(until);
      await Promise.all(tokens.slice(0, 4).map((token) => flood(token, bytes, until)));
      const sorted = await delays;
      expect(sorted.at(Math.floor(sorted.length * 0.95))).toBeLessThan(250);
      expect(megabytesOf(gateway.pid) - before).toBeLessThan(30);
    },
    SECONDS * 1000 + 20_000,
  );

  it('closes a stream that floods with 1008, within a second or two', async () => {
    const raw = await open(tokens[5]);
    await eventually('first message', () => raw.text().includes('"Connected"') || undefined);
    raw.socket.write(FLOODS['empty pings'].subarray(0, 6 * 40));
    const said = Buffer.from(await raw.closed(), 'latin1');
    expect(said.subarray(-2).readUInt16BE(0)).toBe(1008);
    // Twenty got a pong, and no more.
    expect(said.toString('latin1').split('\x8a\x00').length - 1).toBe(20);
  });

  it('ends a refused stream as soon', async () => {
    const raw = await open(undefined);
    raw.socket.write(FLOODS['texts of 4 KB']);
    const late = setTimeout(() => raw.socket.destroy(), 5000);
    await raw.closed();
    clearTimeout(late);
    expect((await fetch(`${gateway.url}/health/ready`)).status).toBe(200);
  });

  it('may be pings every few seconds, or four per second, and each gets its pong', async () => {
    const webSocket = new WebSocket(
      `${gateway.url.replace('http', 'ws')}/api/v2/push?access_token=${tokens[6]}`,
    );
    let pongs = 0;
    let ended = false;
    webSocket.on('pong', () => (pongs += 1)).on('close', () => (ended = true));
    await once(webSocket, 'open');
    for (let sent = 0; sent < 12; sent += 1) {
      webSocket.ping();
      await pause(250);
    }
    // Also the first message of some libraries.
    webSocket.send('{"type":"hello"}');
    await eventually('pongs', () => pongs === 12 || undefined);
    expect(ended).toBe(false);
    webSocket.terminate();
  });

  it('does not keep other streams from getting messages', async () => {
    const member = await ApiClient.login(gateway.url, 'member@crossfade.test');
    const listener = await WsProbe.open(gateway.url, { token: member.token });
    await listener.message('Connected');
    const until = Date.now() + 1000;
    const floods = tokens.slice(7).map((token) => flood(token, FLOODS['texts of 4 KB'], until));
    const begun = Date.now();
    await new ApiClient(gateway.url, sampleToken.storefront).json('POST', '/events', { message: 'heard?' });
    await listener.message('PersistentEventChanged');
    expect(Date.now() - begun).toBeLessThan(1000);
    await Promise.all(floods);
    listener.close();
    expect(gateway.output).not.toContain('"level":50');
  });

  it('leaves no stream behind', async () => {
    const admin = await ApiClient.login(gateway.url, 'admin@crossfade.test');
    await eventually(
      'end of all streams',
      async () => (await admin.json<unknown[]>('GET', '/push/connections')).length === 0 || undefined,
      5000,
    );
  });
});
