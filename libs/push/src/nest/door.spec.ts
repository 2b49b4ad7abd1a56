import 'reflect-metadata';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import {
  Controller,
  Get,
  Injectable,
  Param,
  Post,
  Query,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Authenticator } from '../principal.js';
import { isPushRoute, plainPath, PushModule, PushWsAdapter } from './index.js';

const authenticator: Authenticator = {
  authenticate: async (token) => ({
    outcome: 'authenticated',
    principal: { userId: token, tokenId: token, organizationIds: new Set() },
  }),
  reauthorize: async (principals) => principals,
};

@WebSocketGateway({ path: '/Chat' })
class ChatGateway implements OnGatewayConnection<WebSocket> {
  handleConnection(client: WebSocket): void {
    client.send('hello');
  }
}

@Controller()
class PageController {
  @Get('pages/:name')
  page(@Param('name') name: string, @Query('q') q = ''): string {
    return `the page ${name} ${q}`;
  }

  @Get('closed')
  closed(): string {
    return 'for nobody';
  }

  @Post('pages')
  post(): string {
    return 'posted';
  }
}

/** A program's own guard, which knows nothing of the library's tokens. */
@Injectable()
class OwnGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return isPushRoute(context) || context.getHandler().name !== 'closed';
  }
}

const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
const CLOSE = 'Connection: close\r\n';
const TOKEN = 'access_token=ann';

describe.each([
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
])('the door on %s', (name, adapter) => {
  let app: INestApplication;
  let server: Server;
  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [PushModule.forRootAsync({ useFactory: () => ({ catalog: {}, authenticator }) })],
      controllers: [PageController],
      providers: [ChatGateway, { provide: APP_GUARD, useClass: OwnGuard }],
    }).compile();
    app = module.createNestApplication(adapter() as ExpressAdapter, { logger: false });
    // Of the program's own, and made first: no path that is none comes as far as here.
    app.use((request: { url: string }, _response: unknown, next: () => void) => {
      seen.push(request.url);
      next();
    });
    const spell = (path: string): string => (path.startsWith('/as-is') ? path : plainPath(path));
    app.useWebSocketAdapter(new PushWsAdapter(app, { spell }));
    await app.listen(0, '127.0.0.1');
    server = app.getHttpServer() as Server;
  });
  afterAll(() => app.close());
  const seen: string[] = [];

  /** All that is answered: until the socket closes, or `until` has come. */
  async function send(bytes: string, until?: string): Promise<string> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let text = '';
    const said = new Promise<void>((resolve) => {
      socket
        .on('error', () => undefined)
        .on('close', () => resolve())
        .on('data', (chunk) => {
          text += chunk.toString('latin1');
          if (until !== undefined && text.includes(until)) resolve();
        });
    });
    socket.write(Buffer.from(bytes, 'latin1'));
    await said;
    socket.destroy();
    return text;
  }
  const get = (target: string, headers = CLOSE, until?: string): Promise<string> =>
    send(`GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`, until);

  /** One whole message, a problem, and no more. */
  function expectProblem(text: string, status: number, detail: RegExp): void {
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toMatch(/^content-type: application\/problem\+json/im);
    expect(head).toMatch(new RegExp(`^content-length: ${body.length}$`, 'im'));
    const problem = JSON.parse(body) as { status: number; detail: string };
    expect(problem.status).toBe(status);
    expect(problem.detail).toMatch(detail);
  }

  it.each([
    '/api/v2/push',
    '/api/v2/push/',
    '/API/V2/Push',
    '//api///v2/push//',
    '/api/v2/%70ush',
    'http://elsewhere.example/api/v2/push',
  ])('takes %s for the stream, over both transports', async (path) => {
    const stream = await get(`${path}?${TOKEN}`, '', 'Connected');
    expect(stream).toMatch(/^HTTP\/1\.1 200 .*text\/event-stream/s);
    const socket = await get(`${path}?${TOKEN}`, UPGRADE, 'Connected');
    expect(socket).toMatch(/^HTTP\/1\.1 101 /);
    expect(await get(`${path}/SETTINGS/`)).toMatch(/^HTTP\/1\.1 200 .*"enabled":true/s);
    expect(await get(`${path.replace(/.api.*/i, '//chat/')}`, UPGRADE, 'hello')).toMatch(/^HTTP\/1\.1 101 /);
  });

  it("writes the program's own paths as it says, and keeps what stands in them", async () => {
    expect(await get('//pages//Ann%2FBen/?q=a//b/%zz')).toMatch(/the page Ann\/Ben a\/\/b\/%zz$/);
    expect(await get('/pages/a\\b"{}')).toMatch(/the page a\\b"\{\} $/);
    seen.length = 0;
    await get('/as-is//A/?q=//');
    await get('/pages//A/?q=//#x');
    expect(seen).toEqual(['/as-is//A/?q=//', '/pages/A?q=//']);
    expect(await get('/closed/')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await get('/api/v2/pushed')).toMatch(/^HTTP\/1\.1 404 /);
    expect(await get('/api/v2%2Fpush')).toMatch(/^HTTP\/1\.1 404 /);
  });

  it('lets nothing in that is no path', async () => {
    seen.length = 0;
    for (const target of [
      '*',
      '/%',
      '/%00',
      '/a/../b',
      'http://a:99999/pages/a',
      'http://:80/',
      'http://[bad/',
    ]) {
      for (const headers of [CLOSE, UPGRADE.replace('Upgrade\r', 'Upgrade, close\r')]) {
        expectProblem(await get(target, headers), 400, /path|target/);
      }
    }
    const posted = await send(`POST /pages/%zz HTTP/1.1\r\nHost: x\r\n${CLOSE}Content-Length: 4\r\n\r\nbody`);
    expectProblem(posted, 400, /"%"/);
    expect(seen).toEqual([]);
  });

  it('answers in full what Node would cut', async () => {
    expectProblem(await send('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n'), 405, /no proxy/);
    expect(await send(`OPTIONS * HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`)).toMatch(
      /^HTTP\/1\.1 200 [^]*content-length: 0\r\n[^]*\r\n\r\n$/i,
    );
    const head = await send(`HEAD /%zz HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`);
    expect(head).toMatch(/^HTTP\/1\.1 400 /);
    expect(head.split('\r\n\r\n')[1]).toBe('');
  });

  it.runIf(name === 'Express')('answers in full what the parser refuses', async () => {
    for (const target of ['a:443', 'pages', '/\u00c3\u00a9']) expectProblem(await get(target), 400, /path/);
    expectProblem(await get(`/${'a'.repeat(20_000)}`), 431, /too long/);
    expectProblem(await send('no HTTP at all\r\n\r\n'), 400, /HTTP/);
  });

  // Fastify answers by itself what its parser refuses, and that wherever it is.
  it.runIf(name === 'Express')('puts no answer into the middle of another', async () => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      text += String(chunk);
      if (text.includes('Connected')) socket.write('nonsense\r\n\r\n');
    });
    socket.write(`GET /api/v2/push?${TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'close');
    expect(text).toContain('Connected');
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

it('leaves the server as it was, and tunnels and broken requests to whoever asks for them', async () => {
  const module = await Test.createTestingModule({
    imports: [PushModule.forRootAsync({ useFactory: () => ({ catalog: {}, authenticator }) })],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  const server = app.getHttpServer() as Server;
  const before = server.listeners('request');
  app.useWebSocketAdapter(new PushWsAdapter(app));
  server
    .on('connect', (_request, socket) => socket.end('theirs'))
    .on('clientError', (_error, socket) => socket.end('theirs too'));
  await app.listen(0, '127.0.0.1');
  const { port } = server.address() as AddressInfo;
  for (const [bytes, said] of [
    ['CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n', 'theirs'],
    ['nonsense\r\n\r\n', 'theirs too'],
  ] as const) {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    expect(String(chunk)).toBe(said);
    socket.destroy();
  }
  await app.close();
  expect(server.listeners('request')).toEqual(before);
  expect(server.listenerCount('connect')).toBe(1);
  expect(server.listenerCount('clientError')).toBe(1);
});
