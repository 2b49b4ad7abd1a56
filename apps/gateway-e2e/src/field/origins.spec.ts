import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { answerTo, sendRaw } from '../attacks/raw-socket.ts';

const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';

/** An origin, the `Host` that a client or a proxy sends with it, and whether they are the same host. */
const PAIRS: readonly (readonly [origin: string, host: string, isSame: boolean])[] = [
  ['http://crossfade.example', 'crossfade.example', true],
  ['http://crossfade.example', 'crossfade.example:80', true],
  ['https://crossfade.example', 'crossfade.example', true],
  ['https://crossfade.example', 'crossfade.example:443', true],
  ['https://Crossfade.Example', 'CROSSFADE.example', true],
  ['https://crossfade.example:443', 'crossfade.example', true],
  ['http://crossfade.example:7110', 'crossfade.example:7110', true],
  ['http://[::1]:7110', '[0::1]:7110', true],
  ['https://crossfade.example', 'crossfade.example:80', false],
  ['http://crossfade.example', 'crossfade.example:443', false],
  ['https://crossfade.example', 'crossfade.example:8443', false],
  ['https://crossfade.example:8443', 'crossfade.example', false],
  ['https://elsewhere.example', 'crossfade.example', false],
  ['https://crossfade.example.elsewhere.example', 'crossfade.example', false],
  ['https://elsewhere.example', 'crossfade.example@elsewhere.example', false],
  ['null', 'null', false],
  ['chrome-extension://crossfade', 'crossfade', false],
  ['http://[', '[', false],
  // Allowed by the operator, in any spelling.
  ['https://app.example.com', 'crossfade.example', true],
  ['https://APP.example.com:443', 'crossfade.example', true],
  ['http://app.example.com', 'crossfade.example', false],
];

describe('a stream', () => {
  let gateway: GatewayHost;
  let token: string | undefined;
  beforeAll(async () => {
    gateway = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { CORS_ORIGINS: 'https://app.example.com', PUSH_MAX_CONNECTIONS_PER_USER: '100' },
    });
    ({ token } = await ApiClient.login(gateway.url, 'member@crossfade.test'));
  });
  afterAll(() => gateway.stop());

  it.each(PAIRS)('for a page of %s at the host %s: %s', async (origin, host, isSame) => {
    for (const headers of ['', UPGRADE]) {
      const bytes = `GET /api/v2/push?access_token=${token} HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\n${headers}\r\n`;
      if (isSame) {
        const { socket, text } = await sendRaw(gateway.url, bytes);
        await eventually('stream', () => text().includes('"Connected"') || undefined);
        socket.destroy();
      } else {
        const { status, body } = await answerTo(
          gateway.url,
          headers === '' ? bytes.replace('Origin', 'Connection: close\r\nOrigin') : bytes,
        );
        expect(status).toBe(403);
        expect(JSON.parse(body)).toMatchObject({
          status: 403,
          detail: expect.stringContaining('CORS_ORIGINS'),
        });
      }
    }
  });

  it('is opened at the host of an absolute target, whatever Host says', async () => {
    for (const [target, isSame] of [
      ['http://crossfade.example:80', true],
      ['http://elsewhere.example', false],
    ] as const) {
      const { socket, text } = await sendRaw(
        gateway.url,
        `GET ${target}/api/v2/push?access_token=${token} HTTP/1.1\r\nHost: crossfade.example:1\r\nOrigin: http://crossfade.example\r\n\r\n`,
      );
      await eventually('answer', () => text().includes(isSame ? '"Connected"' : '403') || undefined);
      socket.destroy();
    }
  });
});
