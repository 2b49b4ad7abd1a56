import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, OwnFolder, sampleToken } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw, type RawSocket } from './raw-socket.ts';

const KEEP_ALIVE_SECONDS = 1;

/** Debian's faketime changes the wall-clock time of a process, as a file tells it, and leaves the monotonic clock alone. */
function faketime(): string {
  const folders = readdirSync('/usr/lib').map((folder) => join('/usr/lib', folder, 'faketime'));
  const library = folders
    .map((folder) => join(folder, 'libfaketimeMT.so.1'))
    .find((path) => existsSync(path));
  if (library === undefined) throw new Error('There is no libfaketime: apt-get install faketime');
  return library;
}

describe.runIf(process.platform === 'linux')('when the clock of the machine steps', () => {
  const file = join(new OwnFolder('clock').path, 'faketime');
  let gateway: GatewayHost;
  let member: ApiClient;
  let stream: RawSocket;
  let webSocket: WsProbe;

  const step = (offset: string): void => writeFileSync(file, `${offset}\n`);
  const client = () => new ApiClient(gateway.url, sampleToken.storefront);
  const wall = async () => Date.parse((await fetch(`${gateway.url}/health/ready`)).headers.get('date') ?? '');
  const keepAlives = () => stream.text().split(': keepalive').length - 1;
  const heard = () => webSocket.received.filter(({ type }) => type === 'PersistentEventChanged').length;

  beforeAll(async () => {
    step('+0');
    gateway = await GatewayHost.start({
      env: {
        LD_PRELOAD: faketime(),
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        FAKETIME_NO_CACHE: '1',
        PUSH_KEEP_ALIVE_SECONDS: String(KEEP_ALIVE_SECONDS),
        PUSH_REAUTHORIZE_SECONDS: '1',
        METRICS_PORT: '0',
      },
    });
    member = await ApiClient.login(gateway.url, 'member@crossfade.test');
    webSocket = await WsProbe.open(gateway.url, { token: member.token });
    await webSocket.message('Connected');
    stream = await sendRaw(
      gateway.url,
      `GET /api/v2/push HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${member.token}\r\n\r\n`,
    );
    await eventually('first message', () => stream.text().includes('"Connected"') || undefined);
  });
  afterAll(async () => {
    stream.socket.destroy();
    webSocket.close();
    await gateway.stop();
  });

  /** Two events of one stack within the conflation interval: the first goes out at once, the second at its end. */
  async function twoEvents(message: string): Promise<void> {
    await client().json('POST', '/events', { type: 'error', message });
    await client().json('POST', '/events', { type: 'error', message });
  }

  it.each([
    ['back ten minutes', '-10m', -600_000],
    ['to what it was', '+0', 0],
    ['forward ten minutes', '+10m', 600_000],
  ])('%s, keep-alives and conflated messages continue', async (_title, offset, milliseconds) => {
    const waiting = heard();
    await twoEvents('before a step of the clock');
    step(offset);
    await eventually('conflated messages of before', () => heard() >= waiting + 2 || undefined, 3000);
    // Node updates the `Date` header once a second.
    await eventually(
      'other date',
      async () => Math.abs((await wall()) - Date.now() - milliseconds) < 5000 || undefined,
      3000,
    );
    const before = { keptAlive: keepAlives(), heard: heard() };
    await twoEvents('after a step of the clock');
    await eventually('conflated messages', () => heard() >= before.heard + 2 || undefined, 3000);
    await eventually('keep-alives', () => keepAlives() >= before.keptAlive + 2 || undefined, 4000);
    expect(stream.socket.destroyed).toBe(false);
  });

  it('refusals name a time within their interval', async () => {
    step('+10m');
    for (let time = 0; time < 121; time += 1) {
      const { status } = await fetch(`${gateway.url}/api/v2/push?access_token=bad${time}`);
      expect([401, 429]).toContain(status);
    }
    step('-10m');
    const { status, headers } = await fetch(`${gateway.url}/api/v2/push?access_token=bad`);
    expect(status).toBe(429);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(120);
  });

  it('the streams of a deleted token still end', async () => {
    await member.call('GET', '/auth/logout');
    await webSocket.end();
  });
});
