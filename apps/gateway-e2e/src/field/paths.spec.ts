import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { answerTo, sendRaw } from '../attacks/raw-socket.ts';
import { exercises } from '../exercises.ts';
import { operationsOf, type Operation } from '../operations.ts';
import { makeWorld, type World } from '../world.ts';

const PUSH = '/api/v2/push';
const UPGRADE =
  'Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
const CLOSE = 'Connection: close\r\n';

/** Ways of writing a route's path, `{parameters}` apart. */
const SPELLINGS: Readonly<Record<string, (path: string) => string>> = {
  'with a slash at its end': (path) => `${path}/`,
  'with two slashes in front': (path) => `/${path}`,
  'with two slashes inside': (path) => path.replaceAll('/', '//'),
  'in capitals': (path) =>
    path.replace(/\{\w+\}|[a-z]/g, (part) => (part.length > 1 ? part : part.toUpperCase())),
  'with a capital': (path) =>
    path.replace(
      /\/([a-z])([^/]*)$/,
      (_all, first: string, rest: string) => `/${first.toUpperCase()}${rest}`,
    ),
  'with letters encoded that need not be': (path) =>
    path.replace('/api', '/%61p%69').replace('health', 'h%65alth'),
  'with all of it': (path) => `//${path.slice(1).replace('/v2', '//V2')}//`,
};

/** Invalid paths, as clients and scanners send them, and the detail of the response. */
const NO_PATHS: Readonly<Record<string, RegExp>> = {
  'http://a:99999/api/v2/users/me': /host or a port/,
  'http://a:99999/api/v2/push': /host or a port/,
  'http://:80/': /host or a port/,
  'http://[bad/api/v2/push': /host or a port/,
  'http://': /host or a port/,
  'https://a:b/': /host or a port/,
  'ftp://a/api/v2/push': /no path/,
  '*': /no path/,
  'a:443': /no path/,
  'api/v2/push': /no path/,
  '/%': /"%"/,
  '/api/v2/push%': /"%"/,
  '/api/v2/%ff': /"%"/,
  '/%c0%af': /"%"/,
  '/api/v2/push%00': /NUL/,
  '/next/%00.html': /NUL/,
  '/../../etc/passwd': /"\.\."/,
  '/api/v2/./push': /"\."/,
  '/next/%2e%2E/docs': /"\.\."/,
  'http://x/..': /"\.\."/,
};

/** Requests for a target: headers, a method, a body. */
const WAYS: readonly (readonly [headers: string, method: string, body?: string])[] = [
  [CLOSE, 'GET'],
  [`${CLOSE}Content-Length: 2\r\nContent-Type: application/json\r\n`, 'POST', '{}'],
  [`${CLOSE}Authorization: Bearer ${sampleToken.storefrontPush}\r\n`, 'GET'],
  [`${CLOSE}Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n`, 'OPTIONS'],
  [UPGRADE, 'GET'],
  [UPGRADE.replace('websocket', 'h2c'), 'GET'],
];

describe('paths', () => {
  let gateway: GatewayHost;
  let throttled: GatewayHost;
  let world: World;
  let operations: Operation[];
  const url = () => gateway.url;
  beforeAll(async () => {
    gateway = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: {
        ENABLE_SIGNUP: 'true',
        API_THROTTLE_PER_MINUTE: '0',
        INGEST_THROTTLE_PER_MINUTE: '0',
        PUSH_MAX_CONNECTIONS_PER_USER: '100',
        LOG_LEVEL: 'trace',
      },
    });
    throttled = await GatewayHost.start({
      databaseUrl: newDatabase(inject('postgresPort')),
      env: { API_THROTTLE_PER_MINUTE: '700', INGEST_THROTTLE_PER_MINUTE: '70' },
    });
    world = await makeWorld(gateway);
    ({ operations } = await operationsOf(url()));
    operations = operations.filter(({ template }) => template !== PUSH);
  });
  afterAll(() => Promise.all([gateway.stop(), throttled.stop()]));

  const get = (target: string, headers = CLOSE, method = 'GET', body = '') =>
    answerTo(url(), `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n${body}`);

  /** In `npm test`, each route has one of the spellings, and each spelling is used for some of the routes. */
  const spellings = Object.values(SPELLINGS);
  const rounds = process.env['FIELD_FULL'] === '1' ? spellings.length : 1;

  it.each(Array.from({ length: rounds }, (_, round) => round))(
    'in other spellings lead every route to the same answer, with a good token and without (round %i)',
    async (round) => {
      for (const [index, operation] of operations.entries()) {
        const spell = spellings[(index + round) % spellings.length];
        const exercise = exercises[operation.name];
        if (exercise === undefined || spell === undefined) throw new Error(`${operation.name}: no exercise`);
        const asked = { ...(await exercise.good(world)), spell };
        const { status, text } = await operation.call(asked);
        expect(status, `${operation.name} at ${spell(operation.template)}: ${text}`).toBe(exercise.is);
        if (['anyone', undefined].includes(operation.right)) continue;
        expect((await operation.call({ ...asked, as: world.anyone })).status, operation.name).toBe(401);
      }
    },
  );

  describe.each(Object.entries(SPELLINGS))('%s', (_title, spell) => {
    it('open the stream over both transports, uncompressed and without a line of log', async () => {
      const before = gateway.output.length;
      const { socket, text } = await sendRaw(
        url(),
        `GET ${spell(PUSH)} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\nAuthorization: Bearer ${world.member.token}\r\n\r\n`,
      );
      await eventually('stream over SSE', () => text().includes('"Connected"') || undefined);
      expect(text()).toMatch(/^HTTP\/1\.1 200 /);
      expect(text()).not.toMatch(/^content-encoding|^x-ratelimit/im);
      socket.destroy();
      const webSocket = new WebSocket(
        `${url().replace('http', 'ws')}${spell(PUSH)}?access_token=${world.member.token}`,
      );
      await new Promise((resolve, reject) => webSocket.once('message', resolve).once('error', reject));
      webSocket.terminate();
      // Once a later request has been logged.
      await fetch(`${url()}/health/ready`);
      await eventually(
        'line of log',
        () => gateway.output.slice(before).includes('"route":"/health/ready"') || undefined,
      );
      expect(gateway.output.slice(before)).not.toContain(`"route":"${PUSH}"`);
      expect(gateway.output).not.toContain(world.member.token);
    });

    it('take bodies up to the same size, and count against the same budget', async () => {
      const post = (path: string, bytes: number) =>
        fetch(`${throttled.url}${spell(path)}`, {
          method: 'POST',
          headers: {
            Authorization: `Bearer ${sampleToken.storefront}`,
            'Content-Type': 'application/json',
          },
          body: JSON.stringify({ message: 'large', data: { text: 'x'.repeat(bytes) } }),
        });
      const large = await post('/api/v2/events', 1024 * 1024);
      expect([large.status, large.headers.get('x-ratelimit-limit')]).toEqual([202, '70']);
      const login = await post('/api/v2/auth/login', 300 * 1024);
      expect([login.status, login.headers.get('x-ratelimit-limit')]).toEqual([413, '700']);
      const settings = await fetch(`${throttled.url}${spell('/api/v2/push/settings')}`);
      expect([settings.status, settings.headers.get('x-ratelimit-limit')]).toEqual([200, null]);
    });
  });

  it('keep the case of their parameters, and an encoded slash', async () => {
    const client = new ApiClient(url(), sampleToken.storefront);
    for (const reference of [
      'Mixed-Case',
      'mixed-case',
      'with/slash',
      'with\\backslash',
      'd\u00e9j\u00e0',
      'a%2Fb',
    ]) {
      await client.json('POST', '/events', { message: `of ${reference}`, reference_id: reference });
      const answer = await fetch(
        `${url()}//API/v2/events/By-Ref/${encodeURIComponent(reference)}/User-Description/`,
        {
          method: 'POST',
          headers: { Authorization: `Bearer ${client.token}`, 'Content-Type': 'application/json' },
          body: JSON.stringify({ description: `said of ${reference}` }),
        },
      );
      expect(answer.status).toBe(202);
    }
    const events = await world.member.json<{ reference_id: string; data: Record<string, unknown> }[]>(
      'GET',
      `/projects/${world.own.projects}/events?limit=20`,
    );
    const described = events.filter(({ data }) => JSON.stringify(data).includes('said of '));
    expect(described).toHaveLength(6);
    for (const { reference_id: reference, data } of described) {
      expect(JSON.stringify(data)).toContain(JSON.stringify(`said of ${reference}`).slice(1, -1));
    }
  });

  it('are never ambiguous: a backslash is not a slash, and nothing is trimmed', async () => {
    const headers = `${CLOSE}Authorization: Bearer ${world.member.token}\r\n`;
    for (const path of [
      '\\api\\v2\\push',
      `/api\\v2/users/me`,
      `${PUSH}\\`,
      `${PUSH}\u00c2\u00a0`,
      `${PUSH}/\t`,
      `${PUSH}%20`,
    ])
      expect([400, 404], path).toContain((await get(path, headers)).status);
    expect((await get('/api\\v2/users/me#', headers)).status).toBe(404);
    expect((await get('/api/v2/users/me#/../push', headers)).status).toBe(200);
    expect((await get('/api/v2%2Fusers/me', headers)).status).toBe(404);
    expect((await get('/api/v2/users%2fme', headers)).status).toBe(404);
    expect((await get('/api/v2/%2575sers/me', headers)).status).toBe(404);
  });

  it('in absolute form begin after the host', async () => {
    const headers = `${CLOSE}Authorization: Bearer ${world.member.token}\r\n`;
    for (const target of [
      `${url()}/api/v2/users/me`,
      'http://elsewhere.example/api/v2/users/me',
      'HTTPS://elsewhere.example:443//API/v2/users/me/?a#b',
    ])
      expect((await get(target, headers)).status, target).toBe(200);
    expect((await get('http://elsewhere.example')).status).toBe(200);
  });

  it('lead to the same next page', async () => {
    const response = await fetch(`${url()}//Api/v2/projects/?limit=1`, {
      headers: { Authorization: `Bearer ${world.member.token}` },
    });
    expect(response.headers.get('link')).toBe('</Api/v2/projects?limit=1&page=2>; rel="next"');
  });

  it.each(Object.entries(NO_PATHS))(
    'that are invalid, such as %j, get one complete problem response',
    async (target, says) => {
      for (const [headers, method, sent = ''] of WAYS) {
        // With `OPTIONS`, `*` asks about the server itself.
        if (method === 'OPTIONS' && target === '*') continue;
        const { status, head, body } = await get(target, headers, method, sent);
        expect(status, `${method} ${headers}`).toBe(400);
        expect(head).toMatch(/^content-type: application\/problem\+json/im);
        expect(head).toMatch(/^connection: close/im);
        expect(Number(/^content-length: (\d+)/im.exec(head)?.[1])).toBe(body.length);
        const problem = JSON.parse(body) as Record<string, unknown>;
        expect(problem).toMatchObject({ type: 'about:blank', title: 'Bad Request', status: 400 });
        expect(problem['detail']).toMatch(says);
      }
    },
  );

  it('that are too long, and tunnels, get a complete refusal, too; OPTIONS * gets a response', async () => {
    const long = await get(`/${'a'.repeat(20_000)}`);
    expect([long.status, JSON.parse(long.body)]).toMatchObject([431, { status: 431 }]);
    const tunnel = await get('localhost:443', CLOSE, 'CONNECT');
    expect([tunnel.status, JSON.parse(tunnel.body)]).toMatchObject([405, { status: 405 }]);
    expect(await get('*', CLOSE, 'OPTIONS')).toMatchObject({ status: 200, body: '' });
    const { status, head, body } = await get('/%', CLOSE, 'HEAD');
    expect([status, body]).toEqual([400, '']);
    expect(head).toMatch(/^content-length: [1-9]/im);
  });

  describe('of the two apps', () => {
    it.each([
      ['/', 200],
      ['//', 200],
      ['///?a=//', 200],
      ['/next/', 200],
      ['//next//', 200],
      ['/next/stacks/1', 200],
      ['/next/stacks/1/', 200],
      ['/next//stacks//1', 200],
      ['/next', 301],
      ['/NEXT/', 308],
      ['/Next/stacks/1?a=b', 308],
      ['/docs', 200],
      ['/Docs/', 200],
      ['//docs//OpenAPI.json', 200],
      ['/index.html', 200],
      ['/Index.html', 404],
      ['/next/Index.html', 404],
      ['/next/_app/gone.js', 404],
    ])('%s answers %i, to HEAD as well', async (path, status) => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await get(path, CLOSE, method);
        expect(answer.status, `${method} ${answer.head}`).toBe(status);
        if (status === 404) expect(answer.head).toMatch(/problem\+json/);
      }
      expect((await get(path, CLOSE, 'OPTIONS')).status).toBeLessThan(400);
    });

    it('redirect to the app’s own spelling', async () => {
      expect((await get('/Next/stacks/1?a=b')).head).toMatch(/^location: \/next\/stacks\/1\?a=b$/im);
      expect((await get('/next')).head).toMatch(/^location: \/next\/$/im);
    });

    it('find files only in their own case', async () => {
      const page = (await get('/next/')).body;
      const [, file = ''] = /href="(\/next\/_app\/immutable\/[^"]+\.js)"/.exec(page) ?? [];
      expect((await get(file)).status).toBe(200);
      expect((await get(file.replace('/next/', '//next//'))).status).toBe(200);
      expect((await get(file.toUpperCase().replace('/NEXT', '/next'))).status).toBe(404);
    });
  });

  it('have done no harm', () => {
    expect(gateway.output).not.toContain('"level":50');
  });
});
