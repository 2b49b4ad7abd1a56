import { eventually } from '@crossfade/protocol/testing';
import { ApiClient } from '@crossfade/test-hosts';
import { beforeAll, describe, expect, it } from 'vitest';
import { onEachDatabase } from '../databases.ts';
import { runLibrary } from './client-library.ts';
import { newProject, type Project } from './projects.ts';

const ADMIN = 'admin@crossfade.test';
/** The most that wait for their events, of one project and kind. */
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

  it('@exceptionless/node, unchanged: what it says of an event and of a session before they come is kept', async () => {
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

  const ids: readonly (readonly [string, string, string])[] = [
    ['of one character', 'r', 'r'],
    ['of 100 characters', 'a'.repeat(100), 'a'.repeat(100)],
    ['of 101 characters', 'b'.repeat(101), 'b'.repeat(101)],
    ['of 200 characters', 'c'.repeat(200), 'c'.repeat(200)],
    ['of 201 characters, which is cut', 'd'.repeat(201), 'd'.repeat(200)],
    ['of which an emoji is cut', `${'e'.repeat(199)}😀`, `${'e'.repeat(199)}\uFFFD`],
    ['with a slash, a space and a plus', 'f/ +g', 'f/ +g'],
    ['with NUL', 'g\0h', 'g\uFFFDh'],
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

  it('describe an event while it is on its way, and nothing is lost', async () => {
    const references = Array.from({ length: 50 }, (_, index) => `on-its-way-${index}`);
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

  it('change their mind: the latest description stands, however early it came', async () => {
    await describeEvent('changed', 'first');
    await describeEvent('changed', 'second');
    await post({ message: 'changed', reference_id: 'changed' });
    const description = async () => of(await project.events(), 'changed')?.data['@user_description'];
    expect(await description()).toEqual({ description: 'second' });
    await describeEvent('changed', 'third');
    expect(await description()).toEqual({ description: 'third' });
    // It went to that event, and to no later one.
    await post({ message: 'another', reference_id: 'changed', date: new Date().toISOString() });
    expect(await description()).toBeUndefined();
  });

  it('say a user is there: with the session, else with the newest event of that user', async () => {
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
    // Of nobody else, and of no other project.
    await beat('43', own, 'true');
    await beat('42', project, 'true');
    expect((await own.events()).filter(({ data }) => data['@session']?.is_closed)).toHaveLength(1);
  });

  it('say much of events that never come: the latest is kept, and nothing of another project is lost', async () => {
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
