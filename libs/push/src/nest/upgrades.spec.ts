import 'reflect-metadata';
import { once } from 'node:events';
import type { Server, ServerOptions } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Controller, Get, type INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ExpressAdapter } from '@nestjs/platform-express';
import { WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import { Test } from '@nestjs/testing';
import { WebSocket } from 'ws';
import { afterEach, describe, expect, it } from 'vitest';
import type { Authenticator } from '../principal.js';
import { PushModule } from './push.module.js';
import { PushWsAdapter } from './push-ws.adapter.js';
import { requireNode } from './upgrades.js';

const authenticator: Authenticator = {
  authenticate: async (token) => ({
    outcome: 'authenticated',
    principal: { userId: token, tokenId: token, organizationIds: new Set() },
  }),
  reauthorize: async (principals) => principals,
};

@WebSocketGateway({ path: '/chat' })
class ChatGateway implements OnGatewayConnection<WebSocket> {
  handleConnection(client: WebSocket): void {
    client.send('hello');
  }
}

@Controller()
class PageController {
  @Get('page')
  page(): string {
    return 'a page';
  }
}

type ChoosingServer = Server & Pick<ServerOptions, 'shouldUpgradeCallback'>;
let app: INestApplication;
let port = 0;

async function start(
  adapter: ExpressAdapter | FastifyAdapter,
  before: (server: ChoosingServer) => void = () => undefined,
): Promise<ChoosingServer> {
  const module = await Test.createTestingModule({
    imports: [PushModule.forRootAsync({ useFactory: () => ({ catalog: {}, authenticator }) })],
    controllers: [PageController],
    providers: [ChatGateway],
  }).compile();
  app = module.createNestApplication(adapter as ExpressAdapter, { logger: false });
  const server = app.getHttpServer() as ChoosingServer;
  before(server);
  app.useWebSocketAdapter(new PushWsAdapter(app));
  await app.listen(0, '127.0.0.1');
  port = (server.address() as AddressInfo).port;
  return server;
}

afterEach(() => app.close());

const WEBSOCKET =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
const H2C =
  'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';

/** All that is answered within a short time, or until the socket closes. */
async function ask(path: string, headers: string, host = 'x'): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('error', () => undefined).on('data', (chunk) => (text += chunk.toString('latin1')));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n`);
  await Promise.race([once(socket, 'close'), new Promise((resolve) => setTimeout(resolve, 300))]);
  socket.destroy();
  return text;
}

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('upgrades on %s', (_name, adapter) => {
  it('reach every gateway of the program, the push endpoint among them', async () => {
    await start(adapter());
    const chat = new WebSocket(`ws://127.0.0.1:${port}/chat`);
    expect(String((await once(chat, 'message'))[0])).toBe('hello');
    const stream = new WebSocket(`ws://127.0.0.1:${port}/api/v2/push?access_token=ann`);
    expect(String((await once(stream, 'message'))[0])).toContain('Connected');
    chat.terminate();
    stream.terminate();
  });

  it('are ordinary requests to any other protocol, and not found where there is no gateway', async () => {
    await start(adapter());
    expect(await ask('/page', H2C)).toMatch(/^HTTP\/1\.1 200 .*a page$/s);
    expect(await ask('/api/v2/push/settings', H2C)).toMatch(/^HTTP\/1\.1 200 /);
    const refused = await ask('/page', WEBSOCKET);
    expect(refused).toMatch(/^HTTP\/1\.1 404 /);
    expect(refused).toContain('There is no WebSocket at this path.');
    expect(refused).not.toContain('a page');
  });

  it('take no harm from a host or a target that no URL can be made of', async () => {
    await start(adapter());
    expect(await ask('/chat', WEBSOCKET, '[')).toMatch(/^HTTP\/1\.1 101 .*hello$/s);
    expect(await ask('//[', WEBSOCKET)).toMatch(/^HTTP\/1\.1 404 /);
    expect(await ask('http://x/chat?[', WEBSOCKET)).toMatch(/^HTTP\/1\.1 101 /);
    // The stream's query is read without a URL, too.
    expect(await ask('/api/v2/push?access_token=ann&x=//[', WEBSOCKET)).toContain('Connected');
    expect(await ask('//[?access_token=ann', '')).toMatch(/^HTTP\/1\.1 404 /);
  });

  it('that somebody chose before are left to whoever chose them', async () => {
    const asked: string[] = [];
    const server = await start(adapter(), (its) => {
      its.shouldUpgradeCallback = ({ url = '' }) => {
        asked.push(url);
        if (url === '/throws') throw new Error('the program has a fault');
        return url.startsWith('/theirs');
      };
      its.on('upgrade', ({ url }, socket) => {
        if (url?.startsWith('/theirs') === true) socket.end('HTTP/1.1 101 Theirs\r\n\r\ntheirs');
      });
    });
    expect(await ask('/theirs', H2C)).toMatch(/^HTTP\/1\.1 101 Theirs.*theirs$/s);
    expect(await ask('/theirs', WEBSOCKET)).toMatch(/^HTTP\/1\.1 101 Theirs/);
    expect(await ask('/chat', WEBSOCKET)).toMatch(/hello$/);
    expect(await ask('/page', H2C)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask('/throws', H2C)).toMatch(/^HTTP\/1\.1 404 /);
    expect(asked).toContain('/theirs');
    expect(server.listenerCount('upgrade')).toBe(2);
  });

  it('to a listener that chose nothing go to it, as Node itself has it', async () => {
    await start(adapter(), (its) => {
      its.on('upgrade', ({ url }, socket) => {
        if (url === '/theirs') socket.end('HTTP/1.1 101 Theirs\r\n\r\ntheirs');
      });
    });
    expect(await ask('/theirs', H2C)).toMatch(/^HTTP\/1\.1 101 Theirs/);
    expect(await ask('/chat', WEBSOCKET)).toMatch(/hello$/);
  });

  it('are what they were before, once the adapter is gone', async () => {
    const chosen = (): boolean => false;
    const server = await start(adapter(), (its) => (its.shouldUpgradeCallback = chosen));
    expect(server.shouldUpgradeCallback).not.toBe(chosen);
    await app.close();
    expect(server.shouldUpgradeCallback).toBe(chosen);
    expect(server.listenerCount('upgrade')).toBe(0);
  });
});

it('never leaves a socket without a listener for errors: while it is asked about, refused, or closed', async () => {
  let answer: (outcome: 'authenticated' | 'unauthorized') => void = () => undefined;
  const module = await Test.createTestingModule({
    imports: [
      PushModule.forRootAsync({
        useFactory: () => ({
          catalog: {},
          authenticator: {
            ...authenticator,
            authenticate: async (token: string) => {
              const outcome = await new Promise<'authenticated' | 'unauthorized'>(
                (resolve) => (answer = resolve),
              );
              return outcome === 'unauthorized'
                ? { outcome, detail: 'no' }
                : {
                    outcome,
                    principal: { userId: token, tokenId: token, organizationIds: new Set<string>() },
                  };
            },
          },
        }),
      }),
    ],
  }).compile();
  app = module.createNestApplication({ logger: false });
  const server = app.getHttpServer() as Server;
  app.useWebSocketAdapter(new PushWsAdapter(app));
  await app.listen(0, '127.0.0.1');
  port = (server.address() as AddressInfo).port;
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => sockets.push(socket));
  let looks = 0;
  const look = setInterval(() => {
    for (const socket of sockets) {
      if (socket.destroyed) continue;
      looks += 1;
      expect(socket.listenerCount('error')).toBeGreaterThan(0);
    }
  }, 1);
  const head = `GET /api/v2/push?access_token=ann HTTP/1.1\r\nHost: x\r\n${WEBSOCKET}\r\n`;
  for (const [bytes, outcome] of [
    [head, 'authenticated'],
    [head, 'unauthorized'],
    [head.replace('\r\n\r\n', '\r\nOrigin: https://elsewhere.example\r\n\r\n'), 'authenticated'],
    [head.replace('dGhl', ''), 'authenticated'],
  ] as const) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.write(bytes);
    await new Promise((resolve) => setTimeout(resolve, 30));
    answer(outcome);
    await new Promise((resolve) => setTimeout(resolve, 30));
    // A frame that is none, then a reset.
    socket.write(Buffer.alloc(10, 0xff));
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.resetAndDestroy();
    await expect.poll(() => sockets.at(-1)?.destroyed, { timeout: 3000 }).toBe(true);
  }
  clearInterval(look);
  expect(looks).toBeGreaterThan(100);
});

describe('the Node that it needs', () => {
  it.each(['24.9.0', '24.21.0', '25.0.0', '26.1.3'])('%s is enough', (version) => {
    expect(() => requireNode(version)).not.toThrow();
  });
  it.each(['20.20.2', '22.17.0', '24.8.0'])('%s is told in one sentence', (version) => {
    expect(() => requireNode(version)).toThrow(
      new RegExp(`^PushWsAdapter needs Node 24\\.9 or later, and this is ${version}: [^.]*\\.$`),
    );
  });
});
