import { Choices, SseProbe, WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { descriptorsOf } from './processes.ts';
import { answerTo, sendRaw } from './raw-socket.ts';

const PUSH = '/api/v2/push';
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
const UPGRADE = `Connection: Upgrade\r\nUpgrade: websocket\r\n${KEY}`;
const REQUESTS = Number(process.env['ATTACK_REQUESTS'] ?? 1000);
const SEED = Number(process.env['ATTACK_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const TIMES = Number(process.env['ATTACK_RESETS'] ?? 200);

/** Upgrades whose target or host is not part of a valid URL, or that break off somewhere. */
const UNREADABLE = {
  'a bracket for a host': `GET ${PUSH} HTTP/1.1\r\nHost: [\r\n${UPGRADE}\r\n`,
  'a target that is no URL': `GET //[ HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`,
  'a target without a host': `GET http:// HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`,
  'a port that is none': `GET ${PUSH} HTTP/1.1\r\nHost: x:99999999\r\n${UPGRADE}\r\n`,
  'a bracket in the query': `GET ${PUSH}?access_token=[&last_event_id=%ff%zz//[ HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`,
  'a key that is none': `GET ${PUSH} HTTP/1.1\r\nHost: x\r\n${UPGRADE.replace('dGhl', '')}\r\n`,
  'two upgrades at once': `GET ${PUSH} HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`.repeat(2),
  'an upgrade behind a request': `GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\nGET ${PUSH} HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`,
  'a good token': `GET ${PUSH}?access_token=${sampleToken.storefrontPush} HTTP/1.1\r\nHost: [\r\n${UPGRADE}\r\n`,
};

/** Almost a WebSocket request: lines are omitted, repeated, reordered or broken. */
function noise(choices: Choices): Buffer {
  const chance = () => choices.chance();
  const one = <T>(of: readonly [T, ...T[]]): T => choices.of(of);
  const lines = [
    `Host: ${one(['x', '[', '[::1', 'x:x', '', '\u0000', '%', '//', 'x'.repeat(9000)])}`,
    `Connection: ${one(['Upgrade', 'upgrade, close', 'keep-alive', 'Upgrade,,'])}`,
    `Upgrade: ${one(['websocket', 'WebSocket, h2c', 'h2c', ',', '\tWEBSOCKET '])}`,
    `Sec-WebSocket-Key: ${one(['dGhlIHNhbXBsZSBub25jZQ==', '', '=', 'x'.repeat(500)])}`,
    `Sec-WebSocket-Version: ${one(['13', '8', '0', '1e9', ''])}`,
    `Sec-WebSocket-Protocol: ${one(['crossfade.1', ',', ',crossfade.1,crossfade.1', '"', 'a b'])}`,
    `Sec-WebSocket-Extensions: ${one(['permessage-deflate', ';;', '"'])}`,
    `Authorization: ${one(['Bearer', `Bearer ${sampleToken.storefrontPush}`, 'Bearer \u00ff'])}`,
    `Transfer-Encoding: ${one(['chunked', 'identity', 'chunked, chunked'])}`,
    `Content-Length: ${one(['0', '5', '-1', '99999999999'])}`,
    `Expect: ${one(['100-continue', 'nothing'])}`,
  ];
  const chosen = lines.filter((_, index) => chance() < (index < 5 ? 0.9 : 0.15));
  if (chance() < 0.2) chosen.push(one(lines as [string, ...string[]]));
  if (chance() < 0.2) chosen.reverse();
  const target = one([
    PUSH,
    `${PUSH}?access_token=[`,
    '//[',
    '*',
    'http://[',
    '/',
    '?',
    '#',
    '/%',
    '/\u00e9',
  ]);
  const method = one(['GET', 'GET', 'GET', 'POST', 'CONNECT', 'OPTIONS', 'get']);
  const version = one(['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', '']);
  const bytes = Buffer.from(`${method} ${target} ${version}\r\n${chosen.join('\r\n')}\r\n\r\n`, 'latin1');
  for (let broken = chance() < 0.3 ? 3 : 0; broken > 0; broken -= 1) {
    bytes[choices.below(bytes.length)] = choices.below(256);
  }
  // Also bytes that a client sends before it gets a response.
  const frames = Buffer.from(Array.from({ length: choices.below(50) }, () => choices.below(256)));
  return Buffer.concat([bytes, frames]);
}

async function sendAndReset(url: string, bytes: Buffer, choices: Choices): Promise<void> {
  const waits = choices.chance() * 30;
  const how = choices.chance();
  const { socket } = await sendRaw(url, bytes);
  await new Promise((resolve) => setTimeout(resolve, waits));
  if (how < 0.6) socket.resetAndDestroy();
  else socket.destroy();
}

describe('upgrades', () => {
  let gateway: GatewayHost;
  /** The token of somebody whose streams do not count with those of the attacks. */
  let calm: string | undefined;
  beforeAll(async () => {
    gateway = await GatewayHost.start({ databaseUrl: newDatabase(inject('postgresPort')) });
    ({ token: calm } = await ApiClient.login(gateway.url, 'member@crossfade.test'));
    // The attacks from this address would lock out a token that was never seen before.
    await opens();
  });
  afterAll(() => gateway.stop());

  async function opens(): Promise<void> {
    for (const open of [SseProbe.open, WsProbe.open]) {
      const probe = await open(gateway.url, { token: calm });
      await probe.message('Connected');
      probe.close();
    }
  }

  async function isWell(): Promise<void> {
    expect((await fetch(`${gateway.url}/health/ready`)).status).toBe(200);
  }

  it.each(Object.entries(UNREADABLE))('with %s and a reset leave nothing behind', async (_title, bytes) => {
    await isWell();
    const before = descriptorsOf(gateway.pid);
    for (let begun = 0; begun < TIMES; begun += 20) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const { socket } = await sendRaw(gateway.url, bytes);
          // At once, while the response is on its way, and after it.
          if (index % 3 > 0) await new Promise((resolve) => setTimeout(resolve, index));
          socket.resetAndDestroy();
        }),
      );
    }
    await isWell();
    await eventually(
      'no descriptor more',
      () => descriptorsOf(gateway.pid) <= before + 2 || undefined,
      10_000,
    );
  });

  it('that no client closes leave no open descriptor', async () => {
    await isWell();
    const before = descriptorsOf(gateway.pid);
    const sockets = await Promise.all(
      Object.values(UNREADABLE).map(async (bytes) => (await sendRaw(gateway.url, bytes)).socket),
    );
    const { 'a good token': _open, ...refused } = UNREADABLE;
    await eventually(
      'closed sockets',
      () =>
        descriptorsOf(gateway.pid) <= before + (sockets.length - Object.keys(refused).length) + 2 ||
        undefined,
      10_000,
    );
    for (const socket of sockets) socket.destroy();
  });

  it('that cannot be parsed get one complete response that says so', async () => {
    for (const bytes of [
      UNREADABLE['a key that is none'],
      UNREADABLE['a key that is none'].replace(': 13', ': 7'),
    ]) {
      const { status, head, body } = await answerTo(gateway.url, bytes);
      expect(status).toBe(400);
      expect(head).toMatch(/content-type: application\/problem\+json/i);
      expect(head).toMatch(/connection: close/i);
      expect(Number(/content-length: (\d+)/i.exec(head)?.[1])).toBe(body.length);
      expect(JSON.parse(body)).toMatchObject({ status: 400 });
    }
  });

  it('to an invalid host behave as to any other', async () => {
    const { status, body } = await answerTo(
      gateway.url,
      UNREADABLE['a bracket for a host'].replace(PUSH, `${PUSH}?x`),
    );
    // A client without the subprotocol is accepted, and closed with the reason: here, that it has no token.
    expect(status).toBe(101);
    expect(body.charCodeAt(0)).toBe(0x88);
  });

  it.each(['/', '/next/', '/api/v2/users/me', '/api/v2/push/settings/', '/nowhere', '//['])(
    'at %s are not found, and get no page',
    async (path) => {
      const { status, head, body } = await answerTo(
        gateway.url,
        `GET ${path} HTTP/1.1\r\nHost: x\r\n${UPGRADE}\r\n`.replace(
          'Connection: Upgrade',
          'Connection: Upgrade, close',
        ),
      );
      expect(status).toBe(404);
      expect(head).toMatch(/content-type: application\/problem\+json/i);
      expect(JSON.parse(body)).toMatchObject({ status: 404, detail: 'There is no WebSocket at this path.' });
    },
  );

  describe.each(['h2c', 'HTTP/2.0', 'TLS/1.3, h2c', 'nonsense'])('to %s', (protocol) => {
    const h2c = `Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n`;
    const ask = (line: string, more = '', body = '') =>
      answerTo(gateway.url, `${line} HTTP/1.1\r\nHost: localhost\r\n${h2c}${more}\r\n${body}`);

    it('are ordinary requests, whatever the route, with a body too', async () => {
      const { token } = await ApiClient.login(gateway.url, 'member@crossfade.test');
      expect((await ask('GET /health/ready')).status).toBe(200);
      expect((await ask('GET /api/v2/push/settings')).status).toBe(200);
      expect((await ask('GET /api/v2/users/me')).status).toBe(401);
      const authorization = `Authorization: Bearer ${token}\r\n`;
      expect((await ask('GET /api/v2/users/me', authorization)).status).toBe(200);
      const login = JSON.stringify({ email: 'member@crossfade.test', password: 'tester' });
      const json = `Content-Type: application/json\r\nContent-Length: ${login.length}\r\n`;
      const loggedIn = await ask('POST /api/v2/auth/login', json, login);
      expect(loggedIn.status).toBe(200);
      expect(loggedIn.body).toContain('"token"');
      const event = `{"type":"error","message":"through ${protocol}"}`;
      const ingest = `Authorization: Bearer ${sampleToken.storefront}\r\nContent-Type: application/json\r\nContent-Length: ${event.length}\r\n`;
      expect((await ask('POST /api/v2/events', ingest, event)).status).toBe(202);
    });

    it('open a stream of Server-Sent Events at the push endpoint', async () => {
      const { socket, text } = await sendRaw(
        gateway.url,
        `GET ${PUSH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${calm}\r\n${h2c.replace(', close', '')}\r\n`,
      );
      await eventually('first message', () => text().includes('"Connected"') || undefined);
      expect(text()).toMatch(/^HTTP\/1\.1 200 /);
      socket.destroy();
    });
  });

  it('by another method are ordinary requests', async () => {
    const login = JSON.stringify({ email: 'member@crossfade.test', password: 'tester' });
    const head = `Host: localhost\r\n${UPGRADE.replace('Upgrade\r', 'Upgrade, close\r')}Content-Type: application/json\r\nContent-Length: ${login.length}\r\n`;
    const answer = await answerTo(gateway.url, `POST /api/v2/auth/login HTTP/1.1\r\n${head}\r\n${login}`);
    expect(answer.status).toBe(200);
    expect((await answerTo(gateway.url, `POST ${PUSH} HTTP/1.1\r\n${head}\r\n${login}`)).status).toBe(404);
  });

  it('to a WebSocket are accepted even if they name other protocols, too', async () => {
    const { socket, text } = await sendRaw(
      gateway.url,
      `GET ${PUSH}?access_token=${calm} HTTP/1.1\r\nHost: x\r\n${UPGRADE.replace('websocket', 'h2c, WebSocket')}\r\n`,
    );
    await eventually('first message', () => text().includes('"Connected"') || undefined);
    socket.destroy();
  });

  it(
    `made of ${REQUESTS} random bytes and headers, with resets in between, end nothing (seed ${SEED})`,
    async () => {
      const before = descriptorsOf(gateway.pid);
      const choices = new Choices(SEED);
      const delays: number[] = [];
      for (let begun = 0; begun < REQUESTS; begun += 20) {
        await Promise.all(
          Array.from({ length: 20 }, () => sendAndReset(gateway.url, noise(choices), choices)),
        );
        const asked = performance.now();
        await isWell();
        delays.push(performance.now() - asked);
      }
      const median = delays.sort((a, b) => a - b)[delays.length >> 1];
      expect(median).toBeLessThan(100);
      await eventually(
        'no descriptor more',
        () => descriptorsOf(gateway.pid) <= before + 2 || undefined,
        10_000,
      );
    },
    REQUESTS * 20 + 30_000,
  );

  it('leave the gateway able to open streams', async () => {
    expect((await ApiClient.login(gateway.url, 'member@crossfade.test')).token).toBeDefined();
    await opens();
    expect(gateway.output).not.toContain('"level":50');
  });
});
