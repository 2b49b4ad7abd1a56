import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import fc from 'fast-check';
import { WebSocket, WebSocketServer } from 'ws';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { InboundWebSocket, inboundOptions } from './inbound.js';

const MASK = [0, 0, 0, 0];
const frame = (opcode: number, payload: Buffer | string = '', isLast = true): Buffer => {
  const bytes = Buffer.from(payload);
  const length =
    bytes.length < 126 ? [0x80 | bytes.length] : [0x80 | 126, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from([(isLast ? 0x80 : 0) | opcode, ...length, ...MASK]), bytes]);
};
const [TEXT, BINARY, PING, PONG, MORE] = [1, 2, 9, 10, 0];

describe('what a WebSocket client says', () => {
  const clock = new VirtualClock();
  let http: Server;
  let server: WebSocketServer;
  let accepted: InboundWebSocket;
  let floods = 0;

  beforeEach(async () => {
    floods = 0;
    http = createServer();
    server = new WebSocketServer({
      server: http,
      maxPayload: 4096,
      ...inboundOptions,
      WebSocket: InboundWebSocket as unknown as typeof WebSocket,
      inbound: { burst: 20, perSecond: 5, clock },
    } as ConstructorParameters<typeof WebSocketServer>[0]);
    server.on('connection', (webSocket) => {
      accepted = webSocket as InboundWebSocket;
      accepted.on('error', () => undefined);
      accepted.events = { close: () => (floods += 1) };
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
  });
  afterEach(() => {
    for (const client of server.clients) client.terminate();
    server.close();
    http.close();
  });

  const port = () => (http.address() as AddressInfo).port;
  async function open(): Promise<Socket & { received: () => Buffer }> {
    const socket = connect(port(), '127.0.0.1').on('error', () => undefined);
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => (received = Buffer.concat([received, chunk])));
    socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    await once(server, 'connection');
    await expect.poll(() => received.includes('\r\n\r\n')).toBe(true);
    received = Buffer.alloc(0);
    return Object.assign(socket, { received: () => received });
  }
  const settled = () => new Promise((resolve) => setTimeout(resolve, 50));

  it('is answered where it is a ping, by one pong with its data', async () => {
    const socket = await open();
    socket.write(frame(PING, 'here'));
    await expect.poll(() => socket.received().toString('latin1')).toBe('\x8a\x04here');
    expect(floods).toBe(0);
  });

  it.each([
    ['pings', frame(PING)],
    ['pongs', frame(PONG, 'unasked')],
    ['texts', frame(TEXT, '{"event":"x"}')],
    ['empty texts', frame(TEXT)],
    ['texts that are no UTF-8', frame(TEXT, Buffer.from([0xff, 0xfe]))],
    ['binary messages', frame(BINARY, Buffer.alloc(4096))],
  ])(
    'is a flood where it is more than a burst of %s, once, and is read no further',
    async (_title, bytes) => {
      const socket = await open();
      socket.write(Buffer.concat(Array.from({ length: 20 }, () => bytes)));
      await settled();
      expect(floods).toBe(0);
      socket.write(Buffer.concat(Array.from({ length: 500 }, () => bytes)));
      await settled();
      expect(floods).toBe(1);
      expect(accepted.isPaused).toBe(true);
      const { length } = socket.received();
      for (let time = 0; time < 50; time += 1) socket.write(bytes);
      await settled();
      expect([floods, socket.received().length]).toEqual([1, length]);
    },
  );

  it('ends it where it is a message of very many pieces, full or empty, or a frame of very many chunks', async () => {
    for (const piece of [frame(MORE, '', false), frame(MORE, 'x', false)]) {
      const socket = await open();
      socket.write(Buffer.concat([frame(TEXT, '', false), ...Array.from({ length: 20 }, () => piece)]));
      await once(socket, 'close');
      // 1008, in a close frame.
      expect(socket.received().readUInt16BE(2)).toBe(1008);
    }
    const socket = await open();
    socket.setNoDelay();
    const dribble = frame(BINARY, Buffer.alloc(4000));
    for (let byte = 0; byte < 200 && !socket.destroyed; byte += 1) {
      socket.write(dribble.subarray(byte, byte + 1));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await expect.poll(() => socket.received().length, { timeout: 3000 }).toBeGreaterThan(3);
    expect(socket.received().readUInt16BE(2)).toBe(1008);
  });

  it('ends it within a second where it breaks the protocol, whether or not its client closes', async () => {
    const socket = await open();
    const begun = systemClock.elapsed();
    socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await once(socket, 'close');
    expect(systemClock.elapsed() - begun).toBeLessThan(3000);
  });

  it('is bounded by a budget that fills by the time that passes, whatever the wall says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ wait: fc.integer({ min: 0, max: 50 }), wall: fc.integer() }), { maxLength: 80 }),
        async (steps) => {
          const time = new VirtualClock();
          const options = { ...inboundOptions, inbound: { burst: 20, perSecond: 5, clock: time } };
          const webSocket = new InboundWebSocket(null, undefined, options);
          let flooded = false;
          webSocket.pause = () => undefined;
          webSocket.events = { close: () => (flooded = true) };
          let budget = 20;
          for (const { wait, wall } of steps) {
            time.stepWall(wall);
            time.advance(wait * 100);
            budget = Math.min(20, budget + (wait / 10) * 5);
            webSocket.emit('message', Buffer.alloc(0), false);
            budget -= 1;
            expect(flooded).toBe(budget < -1e-9);
            if (flooded) return;
          }
        },
      ),
    );
  });

  it('closes it as flooding before there is a stream, and cuts it a second later', async () => {
    const socket = await open();
    accepted.events = undefined;
    socket.write(Buffer.concat(Array.from({ length: 30 }, () => frame(PING))));
    await once(socket, 'close');
    expect(socket.received().subarray(-2).readUInt16BE(0)).toBe(1008);
  });
});
