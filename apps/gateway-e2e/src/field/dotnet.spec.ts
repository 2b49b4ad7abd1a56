import { gzipSync } from 'node:zlib';
import { ApiClient, hourWithRoom } from '@crossfade/test-hosts';
import { beforeAll, describe, expect, it } from 'vitest';
import { onEachDatabase } from '../databases.ts';
import { newProject, type Project } from './projects.ts';

/** Sends as the .NET client does: compressed from 4 KiB on. */
function post(url: string, token: string, path: string, json: string): Promise<Response> {
  const isLarge = json.length > 4096;
  return fetch(`${url}/api/v2${path}`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      Accept: 'application/json',
      'User-Agent': 'exceptionless/4.5.0',
      'Content-Type': 'application/json; charset=utf-8',
      ...(isLarge ? { 'Content-Encoding': 'gzip' } : {}),
    },
    body: isLarge ? gzipSync(json) : json,
  });
}

onEachDatabase('the client for .NET', { API_THROTTLE_PER_MINUTE: '0' }, (gateway) => {
  let admin: ApiClient;
  let project: Project;
  beforeAll(async () => {
    await hourWithRoom(60);
    admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
    project = await newProject(gateway().url, admin);
  });

  const newest = async (reference: string) =>
    (await project.events()).find(({ reference_id }) => reference_id === reference);

  const descriptions: readonly (readonly [string, Record<string, unknown>])[] = [
    ['{"email_address":null,"description":"It broke."}', { description: 'It broke.' }],
    ['{"email_address":"jane@example.com","description":null}', { email_address: 'jane@example.com' }],
    ['{"email_address":null,"description":null,"data":null}', {}],
    ['{"description":"a","data":{"@x":null}}', { description: 'a', data: { '@x': null } }],
  ];
  it.each(descriptions)('describes with what it has: %s', async (json, expected) => {
    const reference = crypto.randomUUID();
    const path = `/events/by-ref/${reference}/user-description`;
    expect((await post(gateway().url, project.token, path, json)).status).toBe(202);
    await project.client.json('POST', '/events', { message: 'described', reference_id: reference });
    expect((await newest(reference))?.data['@user_description']).toEqual(expected);
  });

  it.each([
    ['True', true],
    ['true', true],
    ['TRUE', true],
    ['False', false],
    ['false', false],
    ['', false],
    ['1', false],
  ])('closes a session with close=%s: %s', async (close, isClosed) => {
    const reference = crypto.randomUUID();
    await project.client.json('POST', '/events', { type: 'session', reference_id: reference });
    await project.client.json('GET', `/events/session/heartbeat?id=${reference}&close=${close}`);
    expect((await newest(reference))?.data['@session']?.is_closed).toBe(isClosed);
  });

  const events: readonly (readonly [string, object, object])[] = [
    ['a value', { value: 12.5 }, { value: 12.5, data: {} }],
    ['a value of nothing', { value: 0 }, { value: 0 }],
    ['a large negative value', { value: -1e300 }, { value: -1e300 }],
    ['no value', { value: null }, { value: null, data: {} }],
    ['a value that is none', { value: 'many' }, { value: null, data: {} }],
    ['a location', { geo: '47.37,8.54' }, { geo: '47.37,8.54', data: {} }],
    ['no location', { geo: null }, { geo: null }],
    [
      'what it knows and we do not',
      { machine: 'a', nested: { b: [1] } },
      { data: { machine: 'a', nested: { b: [1] } } },
    ],
    [
      'a user beside the data',
      { '@user': { identity: 'jane' } },
      { data: { '@user': { identity: 'jane' } } },
    ],
    [
      'an error beside the data',
      { '@simple_error': { type: 'System.Exception', message: 'It broke.' } },
      { type: 'error', data: { '@simple_error': { type: 'System.Exception', message: 'It broke.' } } },
    ],
    ['a name that the data has, too', { x: 1, data: { x: 2 } }, { data: { x: 2, x1: 1 } }],
    ['that name, and the next', { x: 1, x1: 'one', data: { x: 2 } }, { data: { x: 2, x1: 1, x11: 'one' } }],
    [
      '__proto__ nothing',
      JSON.parse('{"__proto__": {"admin": true}, "other": 1}') as object,
      { data: { other: 1 } },
    ],
    ['constructor', { constructor: 'x', toString: 'y' }, { data: { constructor: 'x', toString: 'y' } }],
  ];
  it.each(events)('keeps of an event %s', async (_what, event, expected) => {
    const reference = crypto.randomUUID();
    await project.client.json('POST', '/events', JSON.stringify({ reference_id: reference, ...event }));
    expect(await newest(reference)).toMatchObject(expected);
  });

  it('loses only a property whose name is taken again and again', async () => {
    const reference = crypto.randomUUID();
    const data = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`x${index || ''}`, index]));
    await project.client.json('POST', '/events', { reference_id: reference, data, x: 'left out', y: 'kept' });
    expect((await newest(reference))?.data).toEqual({ ...data, y: 'kept' });
  });

  describe('with a plan', () => {
    /** A project of an organization on the free plan that has used this much of it. */
    async function ofFreePlan(used: number): Promise<Project & { organization: string }> {
      const name = `Free ${crypto.randomUUID()}`;
      const { id } = await admin.json<{ id: string }>('POST', '/organizations', { name });
      const own = await newProject(gateway().url, admin, name);
      if (used > 0)
        await own.client.json(
          'POST',
          '/events',
          Array.from({ length: used }, () => ({ message: 'used up' })),
        );
      return { ...own, organization: id };
    }

    const batches: readonly (readonly [number, number, number, number, number])[] = [
      // Used and sent events, then the status, and the numbers of accepted and dropped events.
      [0, 1, 202, 1, 0],
      [0, 301, 202, 300, 1],
      [290, 10, 202, 10, 0],
      [290, 50, 202, 10, 40],
      [299, 50_000, 202, 1, 49_999],
      [300, 1, 402, 0, 1],
      [300, 2, 402, 0, 2],
    ];
    it.each(batches)(
      'of which %i are used, of %i: %i, %i taken, %i dropped',
      async (used, sent, status, accepted, dropped) => {
        const own = await ofFreePlan(used);
        const batch = Array.from({ length: sent }, (_, index) => ({
          message: 'sent',
          reference_id: `n-${index}`,
        }));
        const answer = await own.client.call('POST', '/events', batch);
        expect(answer.status).toBe(status);
        if (status === 202) {
          expect(Number(answer.headers.get('x-crossfade-accepted'))).toBe(accepted);
          expect(Number(answer.headers.get('x-crossfade-dropped'))).toBe(dropped);
        }
        const { usage } = await admin.json<{ usage: object }>('GET', `/organizations/${own.organization}`);
        expect(usage).toEqual({
          hour: { total: used + accepted, limit: 300, dropped },
          month: { total: used + accepted, limit: 3000, dropped },
        });
        // The first ones, and no other.
        const kept = (await own.events()).flatMap(({ reference_id }) => reference_id ?? []);
        expect(kept.length).toBe(Math.min(100, accepted));
        for (const reference of kept) expect(Number(reference.slice(2))).toBeLessThan(accepted);
      },
    );

    it('does not count invalid events, and counts those that a discarded stack drops', async () => {
      const own = await ofFreePlan(298);
      const mixed = [1, 'text', { message: 'first' }, null, [], { message: 'second' }, { message: 'third' }];
      const answer = await own.client.call('POST', '/events', mixed);
      expect(answer.headers.get('x-crossfade-accepted')).toBe('2');
      expect(answer.headers.get('x-crossfade-dropped')).toBe('1');
      expect(
        (await own.events())
          .slice(0, 2)
          .map(({ message }) => message)
          .sort(),
      ).toEqual(['first', 'second']);
    });

    it('is reported in a browser, too', async () => {
      const answer = await project.client.call(
        'POST',
        '/events',
        { message: 'from a page' },
        { Origin: 'https://shop.example' },
      );
      expect(answer.headers.get('access-control-expose-headers')).toMatch(
        /X-Crossfade-Accepted.*X-Crossfade-Dropped/,
      );
    });
  });

  it('compresses large events', async () => {
    const message = 'x'.repeat(1000);
    const json = JSON.stringify(Array.from({ length: 10 }, () => ({ message, type: 'compressed' })));
    expect((await post(gateway().url, project.token, '/events', json)).status).toBe(202);
    expect((await project.events()).filter(({ type }) => type === 'compressed')).toHaveLength(10);
  });
});

onEachDatabase('administrators who know the field', {}, (gateway) => {
  let admin: ApiClient;
  beforeAll(async () => {
    admin = await ApiClient.login(gateway().url, 'admin@crossfade.test');
  });

  it.each([
    [{ message: 'Back soon', level: 'Warning', target: 'Legacy' }, 'Back soon', 'Warning', 'Legacy'],
    [{ value: 'Back soon', level: 'Error' }, 'Back soon', 'Error', 'Both'],
    [{ message: ' Back soon ' }, 'Back soon', 'Info', 'Both'],
    [{ value: 'The value', message: 'The message' }, 'The value', 'Info', 'Both'],
  ])('announce with %o', async (body, message, level, target) => {
    const shown = await admin.json<object>('POST', '/notifications/system', body);
    expect(shown).toMatchObject({ message, level, target });
    expect(await admin.json('GET', '/notifications/system')).toMatchObject({ message, level, target });
    if (!('level' in body))
      expect(await admin.json('POST', '/notifications/release?critical=false', body)).toMatchObject({
        message,
      });
  });

  it.each([
    {},
    { message: ' ' },
    { level: 'Info' },
    { message: null },
    { value: 1 },
    { message: 'x'.repeat(1001) },
  ])('are told what is missing: %o', async (body) => {
    for (const path of ['/notifications/system', '/notifications/release']) {
      const refused = await admin.call('POST', path, body);
      expect(refused.status).toBe(400);
      const { errors } = (await refused.json()) as { errors: { path: string }[] };
      expect(errors.map(({ path: where }) => where)).toContain('message' in body ? 'message' : 'value');
    }
  });

  it('let a load balancer look at /health', async () => {
    const answer = await fetch(`${gateway().url}/health`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toEqual({ status: 'ok', checks: { database: 'ok' } });
    expect((await fetch(`${gateway().url}/health`, { method: 'HEAD' })).status).toBe(200);
  });
});
