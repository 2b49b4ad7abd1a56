import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { beforeAll, describe, expect, it } from 'vitest';
import { onEachDatabase, onPostgres } from '../databases.ts';
import { runLibrary } from './client-library.ts';
import { newProject, type Project } from './projects.ts';

const ADMIN = 'admin@crossfade.test';
/** The most amendments of one project and kind that wait for their events. */
const MOST_WAITING = 500;

const of = (events: Awaited<ReturnType<Project['events']>>, reference: string) =>
  events.find(({ reference_id }) => reference_id === reference);

onEachDatabase('client libraries', { API_THROTTLE_PER_MINUTE: '0' }, (gateway) => {
  let admin: ApiClient;
  let project: Project;
  beforeAll(async () => {
    admin = await ApiClient.login(gateway().url, ADMIN);
    project = await newProject(gateway().url, admin);
  });

  const describeEvent = async (id: string, description: string, { client } = project) => {
    const path = `/events/by-ref/${encodeURIComponent(id)}/user-description`;
    expect((await client.call('POST', path, { description })).status).toBe(202);
  };
  const beat = async (id: string, { client } = project, close = 'false') => {
    const path = `/events/session/heartbeat?id=${encodeURIComponent(id)}&close=${close}`;
    expect((await client.call('GET', path)).status).toBe(200);
  };
  const post = async (event: object, { client } = project) => {
    expect((await client.call('POST', '/events', event)).status).toBe(202);
  };

  it('@exceptionless/node, unchanged: what it says about an event and a session before they arrive is kept', async () => {
    const own = await newProject(gateway().url, admin);
    const identity = 'jane+shop@example.com';
    const { report, end } = await runLibrary({
      library: 'modern',
      url: gateway().url,
      token: own.token,
      reference: 'told-of-before-1',
      identity,
    });
    expect(report).toEqual({ posted: [202], left: 0, errors: [], settings: 1 });
    const events = await own.events();
    expect(of(events, 'told-of-before-1')?.data['@user_description']).toEqual({
      email_address: 'jane@example.com',
      description: 'It broke.',
    });
    const session = events.find(({ type }) => type === 'session');
    expect(session?.data['@user']).toEqual({ identity });
    expect(session?.data['@session']).toMatchObject({ is_closed: true });
    await end();
  });

  it('exceptionless 1, unchanged: its queue empties, and its events arrive', async () => {
    const own = await newProject(gateway().url, admin);
    const { report, end } = await runLibrary({
      library: 'old',
      url: gateway().url,
      token: own.token,
      reference: 'told-of-before-2',
      identity: 'jane',
    });
    expect(report).toEqual({ posted: [202], left: 0, errors: [], settings: 1 });
    const closed = await eventually('end of the session', async () =>
      (await own.events()).find(({ data }) => data['@session']?.is_closed),
    );
    expect(closed).toMatchObject({ type: 'session', data: { '@user': { identity: 'jane' } } });
    const events = await own.events();
    expect(of(events, 'told-of-before-2')).toMatchObject({
      type: 'error',
      data: { '@user_description': { email_address: 'jane@example.com', description: 'It broke.' } },
    });
    expect(events.map(({ type }) => type).sort()).toEqual(['error', 'log', 'session', 'usage']);
    // On exit, it sends from a child process and waits for that.
    await end();
    expect((await own.events()).map(({ message }) => message)).toContain('The last words');
  });

  const ids: readonly (readonly [string, string, string])[] = [
    ['of one character', 'r', 'r'],
    ['of 100 characters', 'a'.repeat(100), 'a'.repeat(100)],
    ['of 101 characters', 'b'.repeat(101), 'b'.repeat(101)],
    ['of 200 characters', 'c'.repeat(200), 'c'.repeat(200)],
    ['of 201 characters, which is cut', 'd'.repeat(201), 'd'.repeat(200)],
    ['of which an emoji does not fit', `${'e'.repeat(199)}😀`, 'e'.repeat(199)],
    ['with a slash, a space and a plus', 'f/ +g', 'f/ +g'],
    ['with a percent sign', 'h%2Bi%', 'h%2Bi%'],
  ];
  describe.each(ids)('an id %s', (_what, id, kept) => {
    it('is the same on every route, before the event and after it', async () => {
      for (const order of ['before', 'after'] as const) {
        const said = async () => {
          await describeEvent(id, `said ${order}`);
          await beat(id);
        };
        if (order === 'before') await said();
        await post({ message: 'has an id', reference_id: id });
        if (order === 'after') await said();
        const event = of(await project.events(), kept);
        expect(event?.data['@user_description']).toEqual({ description: `said ${order}` });
        expect(event?.data['@session']).toMatchObject({ is_closed: false });
      }
    });
  });

  it('describe an event that is still on its way, and nothing is lost', async () => {
    const references = Array.from({ length: 20 }, (_, index) => `on-its-way-${index}`);
    await Promise.all(
      references.flatMap((reference) => [
        post({ message: 'on its way', reference_id: reference }),
        describeEvent(reference, reference),
        beat(reference),
      ]),
    );
    const events = await project.events();
    for (const reference of references) {
      expect(of(events, reference)?.data['@user_description']).toEqual({ description: reference });
      expect(of(events, reference)?.data['@session']).toBeDefined();
    }
  });

  it('send a second description: the latest one counts, however early it came', async () => {
    await describeEvent('changed', 'first');
    await describeEvent('changed', 'second');
    await post({ message: 'changed', reference_id: 'changed' });
    const description = async () => of(await project.events(), 'changed')?.data['@user_description'];
    expect(await description()).toEqual({ description: 'second' });
    await describeEvent('changed', 'third');
    expect(await description()).toEqual({ description: 'third' });
    // It was added to that event, and to no later one.
    await post({ message: 'another', reference_id: 'changed', date: new Date().toISOString() });
    expect(await description()).toBeUndefined();
  });

  it('report a user as active: in the session, else in the newest event of that user', async () => {
    const own = await newProject(gateway().url, admin);
    const user = { '@user': { identity: 42, name: 'Jane' } };
    await beat('42', own);
    await post([{ type: 'log', message: 'first', data: user }], own);
    const activity = async (type: string) =>
      (await own.events()).find((event) => event.type === type)?.data['@session'];
    expect(await activity('log')).toMatchObject({ is_closed: false });
    await post({ type: 'session', data: user }, own);
    await post({ type: 'usage', source: 'search', data: user }, own);
    await beat('42', own, 'true');
    expect(await activity('session')).toMatchObject({ is_closed: true });
    expect(await activity('usage')).toBeUndefined();
    // For no other user and no other project.
    await beat('43', own, 'true');
    await beat('42', project, 'true');
    expect((await own.events()).filter(({ data }) => data['@session']?.is_closed)).toHaveLength(1);
  });

  it('say much about events that never arrive: the latest is kept, and nothing of another project is lost', async () => {
    const [own, other] = [await newProject(gateway().url, admin), await newProject(gateway().url, admin)];
    await describeEvent('early', 'of the other project', other);
    for (let first = 0; first < MOST_WAITING + 20; first += 20) {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) => describeEvent(`early-${first + index}`, 'kept', own)),
      );
    }
    const references = Array.from({ length: MOST_WAITING + 20 }, (_, index) => `early-${index}`);
    const described: string[] = [];
    for (let first = 0; first < references.length; first += 100) {
      const some = references.slice(first, first + 100);
      await post(
        some.map((reference_id) => ({ message: 'it comes', reference_id })),
        own,
      );
      for (const { reference_id, data } of await own.events())
        if (reference_id !== null && data['@user_description'] !== undefined) described.push(reference_id);
    }
    const unique = new Set(described);
    expect(unique.size).toBeLessThanOrEqual(MOST_WAITING);
    expect(unique.size).toBeGreaterThanOrEqual(MOST_WAITING - 20);
    expect(unique.has('early-0')).toBe(false);
    expect(unique.has(`early-${MOST_WAITING + 19}`)).toBe(true);
    await post({ message: 'it comes', reference_id: 'early' }, other);
    expect(of(await other.events(), 'early')?.data['@user_description']).toEqual({
      description: 'of the other project',
    });
  });
});

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** The ways to send a token: in headers, or in the query. */
interface Way {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
}
const oldWays: Readonly<Record<string, (token: string) => Way>> = {
  'Basic, as client': (token) => ({ headers: { Authorization: `Basic ${base64(`client:${token}`)}` } }),
  'basic, as Client': (token) => ({ headers: { Authorization: `basic ${base64(`Client:${token}`)}` } }),
  'Basic, as the user': (token) => ({ headers: { Authorization: `Basic ${base64(`${token}:`)}` } }),
  'the scheme Token': (token) => ({ headers: { Authorization: `Token ${token}` } }),
  'the scheme token': (token) => ({ headers: { Authorization: `token ${token}` } }),
  access_token: (token) => ({ query: `access_token=${token}` }),
  api_key: (token) => ({ query: `api_key=${token}` }),
  apikey: (token) => ({ query: `apikey=${token}` }),
  'apiKey, after others': (token) => ({ query: `v=0&id=abc&apiKey=${token}` }),
};
const ingestRoutes: readonly (readonly [string, string, unknown, number])[] = ['v1', 'v2'].flatMap(
  (version): [string, string, unknown, number][] => [
    ['POST', `/api/${version}/events`, { message: 'sent in an old way' }, 202],
    ['POST', `/api/${version}/events/submit`, { message: 'sent in an old way' }, 202],
    ['POST', `/api/${version}/projects/PROJECT/events`, [{ message: 'sent in an old way' }], 202],
    ['POST', `/api/${version}/events/by-ref/REFERENCE/user-description`, { description: 'It broke.' }, 202],
    ['GET', `/api/${version}/events/session/heartbeat`, undefined, 200],
    ['GET', `/api/${version}/projects/config`, undefined, 200],
  ],
);
const otherRoutes: readonly (readonly [string, string])[] = [
  ['GET', '/api/v2/users/me'],
  ['GET', '/api/v2/organizations'],
  ['GET', '/api/v2/projects/PROJECT/events'],
  ['POST', '/api/v2/push/messages'],
  ['GET', '/api/v1/users/me'],
  ['GET', '/api/v2/events/submit'],
  ['POST', '/api/v1/error'],
];

onEachDatabase(
  'tokens as old clients send them',
  { LOG_LEVEL: 'trace', INGEST_THROTTLE_PER_MINUTE: '0' },
  (gateway) => {
    let admin: ApiClient;
    let project: Project;
    beforeAll(async () => {
      admin = await ApiClient.login(gateway().url, ADMIN);
      project = await newProject(gateway().url, admin);
    });

    const call = async (method: string, path: string, { headers = {}, query = '' }: Way, body?: unknown) => {
      const target = path.replace('PROJECT', project.id).replace('REFERENCE', crypto.randomUUID());
      const response = await fetch(`${gateway().url}${target}?${query}`, {
        method,
        headers: { ...headers, 'Content-Type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      await response.text();
      return response;
    };

    it.each(Object.keys(oldWays))('%s: count on every ingest route, for a project', async (name) => {
      const way = oldWays[name]?.(project.token) ?? {};
      for (const [method, path, body, status] of ingestRoutes) {
        const answer = await call(method, path, way, body);
        expect(answer.status, `${method} ${path}`).toBe(status);
        expect(answer.headers.get('x-exceptionless-configversion'), path).toBe('1');
      }
    });

    it.each(Object.keys(oldWays))('%s: count for no other token, and on no other route', async (name) => {
      const secrets = [admin.token ?? '', sampleToken.service, 'no-such-token-00000000000000000000000000'];
      for (const secret of secrets) {
        for (const [method, path, body] of ingestRoutes) {
          const answer = await call(method, path, oldWays[name]?.(secret) ?? {}, body);
          expect(answer.status, `${method} ${path}`).toBe(401);
          expect(answer.headers.get('www-authenticate')).toBe('Bearer');
        }
      }
      for (const [method, path] of otherRoutes) {
        const way = oldWays[name]?.(project.token) ?? {};
        expect([401, 404], `${method} ${path}`).toContain((await call(method, path, way)).status);
      }
      // It was refused, and stays valid.
      expect((await admin.call('GET', '/users/me')).status).toBe(200);
    });

    it("do not accept a person's password, or a token that contradicts another header", async () => {
      const password = { headers: { Authorization: `Basic ${base64('member@crossfade.test:tester')}` } };
      const both = { headers: { Authorization: 'Bearer no-such' }, query: `access_token=${project.token}` };
      for (const way of [password, both])
        expect((await call('POST', '/api/v2/events', way, { message: 'refused' })).status).toBe(401);
    });

    it('stay out of every log line', () => {
      expect(gateway().output.length).toBeGreaterThan(10_000);
      const secrets = [project.token, admin.token ?? '', sampleToken.service, 'no-such-token'];
      const written = secrets.flatMap((secret) => [secret, base64(`client:${secret}`).slice(0, 24)]);
      expect(written.filter((secret) => gateway().output.includes(secret))).toEqual([]);
      expect(gateway().output).not.toMatch(/access_token|api_?key/i);
    });
  },
);

onPostgres('bodies as old browsers send them', {}, (gateway) => {
  let project: Project;
  beforeAll(async () => {
    project = await newProject(gateway().url, await ApiClient.login(gateway().url, ADMIN));
  });

  /** Sends exactly these headers: fetch adds a content type if there is none. */
  const post = async (path: string, type: string | undefined, body: string) => {
    const sent = request(`${gateway().url}/api/v2${path}?access_token=${project.token}`, {
      method: 'POST',
      headers: type === undefined ? {} : { 'Content-Type': type },
    });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  };
  const types = [undefined, '', 'text/plain', 'text/plain;charset=UTF-8', 'TEXT/PLAIN; charset="utf-8"'];

  it.each(types)('are read as the JSON that they hold: %s', async (type) => {
    const message = `typed ${type}`;
    expect(await post('/events', type, JSON.stringify([{ message, reference_id: 'typed' }]))).toBe(202);
    expect((await project.events())[0]?.message).toBe(message);
    const path = '/events/by-ref/typed/user-description';
    expect(await post(path, type, JSON.stringify({ description: message }))).toBe(202);
    expect((await project.events())[0]?.data['@user_description']).toEqual({ description: message });
  });

  const texts: readonly (readonly [string, readonly string[]])[] = [
    ['one line', ['one line']],
    ['two\r\n\n  lines \n', ['two', 'lines']],
    ['[INFO] begins with a bracket', ['[INFO] begins with a bracket']],
    ['{"message": "is no JSON', ['{"message": "is no JSON']],
    ['"a JSON text"', ['"a JSON text"']],
    ['42', ['42']],
    [' \n\t\n', []],
  ];
  it.each(texts)('that are no JSON are lines of a log: %j', async (text, lines) => {
    const before = (await project.events()).length;
    expect(await post('/events', 'text/plain', text)).toBe(202);
    const events = await project.events();
    const added = events.slice(0, events.length - before).map(({ message, type }) => `${type} ${message}`);
    expect(added.sort()).toEqual(lines.map((line) => `log ${line}`).sort());
  });

  it('are refused if they are neither, and if there are too many lines', async () => {
    expect(await post('/events', 'application/json', 'one line')).toBe(400);
    expect(await post('/events', 'application/x-www-form-urlencoded', 'a=1')).toBe(415);
    expect(await post('/events', 'text/html', '{}')).toBe(415);
    expect(await post('/events', 'text/plain', 'x\n'.repeat(50_001))).toBe(413);
    expect(await post('/events/by-ref/typed/user-description', 'text/plain', 'It broke.')).toBe(400);
  });
});
