import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { SseProbe, WsProbe, eventually } from '@crossfade/push/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SampleIssuer } from './sample-issuer.js';

let issuer: SampleIssuer;
let program: ChildProcess;
let url = '';

/** The built program, in its own process. */
async function start(of: SampleIssuer): Promise<{ child: ChildProcess; ready: string }> {
  const child = fork(fileURLToPath(new URL('../dist/main.js', import.meta.url)), {
    env: { PATH: process.env['PATH'], PORT: '0', JWKS_URL: of.jwksUrl, JWT_ISSUER: of.issuer },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Without the test runner's conditions: the program runs the built code.
    execArgv: [],
  });
  const [{ ready }] = (await once(child, 'message')) as [{ ready: string }];
  return { child, ready };
}

beforeAll(async () => {
  issuer = await SampleIssuer.start();
  ({ child: program, ready: url } = await start(issuer));
}, 30_000);
afterAll(async () => {
  program.kill('SIGTERM');
  const [code, signal] = (await once(program, 'exit')) as [number | null, string | null];
  expect(code ?? signal).toBe('SIGTERM');
  await issuer.stop();
}, 30_000);

async function post(path: string, body: object): Promise<{ id: string }> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(201);
  return (await response.json()) as { id: string };
}

it('tells the customer and the shop on both transports, and nobody else', async () => {
  const customer = await SseProbe.open(url, { token: await issuer.token({ id: 'ann' }) });
  const staff = await WsProbe.open(url, { token: await issuer.token({ id: 'ben', shops: ['tea'] }) });
  const stranger = await SseProbe.open(url, { token: await issuer.token({ id: 'cy', shops: ['coffee'] }) });
  await Promise.all([customer, staff, stranger].map((probe) => probe.message('Connected')));

  const { id } = await post('/orders', { shop_id: 'tea', customer_id: 'ann' });
  await post(`/orders/${id}/ship`, { carrier: 'bicycle' });
  const shipped = await customer.message('OrderShipped');
  expect(shipped.message).toEqual({ order_id: id, customer_id: 'ann', carrier: 'bicycle' });
  await staff.message('OrderChanged', ({ status }) => status === 'shipped');
  const types = (probe: SseProbe | WsProbe) => new Set(probe.received.map(({ type }) => type));
  expect(types(customer)).toEqual(new Set(['Connected', 'OrderShipped']));
  expect(types(staff)).toEqual(new Set(['Connected', 'OrderChanged']));
  expect(types(stranger)).toEqual(new Set(['Connected']));
  for (const probe of [customer, staff, stranger]) probe.close();
});

it('replays what the customer missed while away', async () => {
  const token = await issuer.token({ id: 'dee' });
  const before = await SseProbe.open(url, { token });
  const { id: cursor = '' } = await before.message('Connected');
  before.close();
  const { id } = await post('/orders', { shop_id: 'tea', customer_id: 'dee' });
  await post(`/orders/${id}/ship`, { carrier: 'boat' });
  const after = await WsProbe.open(url, { token, query: { last_event_id: cursor } });
  expect((await after.message('Connected')).message).toMatchObject({ resumed: 'resumed' });
  await after.message('OrderShipped', ({ carrier }) => carrier === 'boat');
  after.close();
});

it('refuses a token that is not for it', async () => {
  const other = await SampleIssuer.start();
  const tokens = [
    undefined,
    'no token',
    await other.token({ id: 'ann' }),
    await issuer.token({ id: 'ann', validFor: -5 }),
  ];
  for (const token of tokens) {
    const { response } = await SseProbe.open(url, { token });
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
  }
  await other.stop();
});

it('is unavailable while the keys cannot be fetched', async () => {
  const gone = await SampleIssuer.start();
  const { child, ready } = await start(gone);
  const token = await gone.token({ id: 'ann' });
  await gone.stop();
  const { response } = await SseProbe.open(ready, { token });
  expect(response.status).toBe(503);
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  child.kill('SIGKILL');
  await eventually('exit', () => child.signalCode ?? undefined);
});

it('treats a request for another upgrade as an ordinary one, and survives one that cannot be parsed', async () => {
  const ask = async (head: string): Promise<string> => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let text = '';
    socket.on('error', () => undefined).on('data', (chunk) => (text += String(chunk)));
    socket.write(`${head}\r\n\r\n`);
    await Promise.race([once(socket, 'close'), new Promise((resolve) => setTimeout(resolve, 500))]);
    socket.resetAndDestroy();
    return text;
  };
  // What `curl --http2` sends.
  const h2c =
    'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__AAIAAAAA';
  expect(await ask(`GET /api/v2/push/settings HTTP/1.1\r\nHost: x\r\n${h2c}`)).toMatch(/^HTTP\/1\.1 200 /);
  const webSocket =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13';
  for (const [target, host, status] of [
    ['/api/v2/push', '[', 101],
    ['//API/v2//Push/', 'x', 101],
    ['http://a:99999/api/v2/push', 'x', 400],
    ['/%', 'x', 400],
    ['//[', 'x', 404],
    ['/orders', 'x', 404],
  ] as const) {
    expect(await ask(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${webSocket}`)).toMatch(
      new RegExp(`^HTTP/1\\.1 ${status} `),
    );
  }
  expect((await fetch(`${url}/api/v2/push/settings`)).status).toBe(200);
  expect(program.exitCode).toBeNull();
});
