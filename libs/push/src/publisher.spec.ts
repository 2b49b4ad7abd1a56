import { decodeSseData, everyone, organization, user } from '@crossfade/protocol';
import { ChangeType, catalog, type EntityChanged } from '@crossfade/protocol/catalog';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { StampedMessage } from './log.js';
import { MemoryMessageLog } from './memory/log.js';
import { MAX_MESSAGE_BYTES, PushPublisher, type Publishable } from './publisher.js';
import { settled, testEnvironment } from './scripted.spec-kit.js';
import { VirtualClock } from './testing/virtual-clock.js';

function make() {
  const log = new MemoryMessageLog();
  const appended: StampedMessage[] = [];
  log.follow({ record: (record) => void appended.push(record), hole: () => undefined });
  const clock = new VirtualClock();
  const advance = (milliseconds: number): void => clock.advance(milliseconds);
  const failures: unknown[] = [];
  const environment = testEnvironment({ clock, onError: (error) => failures.push(error) });
  const publisher = new PushPublisher(log, catalog, MAX_MESSAGE_BYTES, environment);
  return { publisher, appended, advance, log, failures };
}

const messageOf = (data = ''): unknown => decodeSseData(data)?.message;

const project = { organization_id: 'o', project_id: 'p', data: {} };
const stack = { ...project, type: 'Stack', id: 's', change_type: ChangeType.Saved };
const event = (id: string) => ({
  ...project,
  type: 'PersistentEvent',
  id,
  stack_id: 's',
  change_type: ChangeType.Added,
});

describe('the publisher', () => {
  it('takes, of each type, the message of its schema and no other', () => {
    type Own = Publishable<typeof catalog>;
    expectTypeOf<{ type: 'PlanChanged'; message: { organization_id: string } }>().toExtend<Own>();
    expectTypeOf<{ type: 'InvoiceChanged'; message: EntityChanged }>().toExtend<Own>();
    expectTypeOf<{ type: 'PlanOverage'; message: { organization_id: string } }>().not.toExtend<Own>();
    expectTypeOf<{ type: 'Nonsense'; message: object }>().not.toExtend<Own>();
  });

  it('stamps audience, class, key and effect, so that readers need no catalog', async () => {
    const { publisher, appended } = make();
    await publisher.publish({ type: 'StackChanged', message: stack });
    await publisher.publish({
      type: 'UserMembershipChanged',
      message: { change_type: 2, user_id: 'u', organization_id: 'o' },
    });
    await publisher.publish({ type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z' } });
    await settled();
    expect(appended.map(({ audience, delivery, effect }) => ({ audience, delivery, effect }))).toEqual([
      { audience: [organization('o')], delivery: 'invalidation', effect: undefined },
      {
        audience: [organization('o'), user('u')],
        delivery: 'critical',
        effect: { kind: 'membership', change: 'removed', user_id: 'u', organization_id: 'o' },
      },
      { audience: [everyone], delivery: 'critical', effect: undefined },
    ]);
  });

  it('gives equal messages equal keys, and a removal never that of a saving', async () => {
    const { publisher, appended } = make();
    await publisher.publish({ type: 'StackChanged', message: stack });
    await publisher.publish({ type: 'StackChanged', message: { ...stack } });
    await publisher.publish({ type: 'StackChanged', message: { ...stack, change_type: ChangeType.Removed } });
    await publisher.publish({ type: 'ProjectChanged', message: stack });
    await settled();
    const [first, equal, removed, other] = appended.map(({ key, data }) => key ?? data);
    expect(equal).toBe(first);
    expect(new Set([first, removed, other]).size).toBe(3);
  });

  it('carries entities outside the catalog, and refuses what is no entity', async () => {
    const { publisher, appended } = make();
    await publisher.publish({ type: 'InvoiceChanged', message: { ...stack, type: 'Invoice' } });
    await settled();
    expect(appended.map(({ type }) => type)).toEqual(['InvoiceChanged']);
    await expect(publisher.publish({ type: 'Nonsense' } as never)).rejects.toMatchObject({
      code: 'unknown_type',
    });
    await expect(publisher.publish({ type: 'constructor' } as never)).rejects.toMatchObject({
      code: 'unknown_type',
    });
  });

  it('refuses a message that its schema does not read, and says where', async () => {
    const { publisher, appended } = make();
    await expect(
      publisher.publish({
        type: 'PlanOverage',
        message: { organization_id: 'o', is_hourly: 'yes' as never },
      }),
    ).rejects.toMatchObject({ code: 'invalid_message', issues: [{ path: 'is_hourly' }] });
    await settled();
    expect(appended).toEqual([]);
  });

  it('refuses what cannot be written as JSON before anything is appended', async () => {
    const { publisher, appended } = make();
    const circular: Record<string, unknown> = {};
    circular['itself'] = circular;
    for (const data of [{ big: 1n }, circular]) {
      const message = { ...event('e1'), data };
      await expect(publisher.publish({ type: 'PersistentEventChanged', message })).rejects.toMatchObject({
        code: 'invalid_message',
      });
    }
    await settled();
    expect(appended).toEqual([]);
  });

  it('sends no user that was added, and no data of a token to its organization', async () => {
    const { publisher, appended } = make();
    await publisher.publish({
      type: 'UserChanged',
      message: { type: 'User', id: 'u', change_type: 0, data: {} },
    });
    const token = { type: 'Token', id: 't', organization_id: 'o', change_type: ChangeType.Added };
    await publisher.publish({ type: 'TokenChanged', message: { ...token, data: { notes: 'private' } } });
    await settled();
    expect(appended.map(({ type, data }) => [type, messageOf(data)])).toEqual([
      ['TokenChanged', { ...token, data: {} }],
    ]);
  });

  it('appends what nobody may see, if it closes a connection', async () => {
    const { publisher, appended } = make();
    await publisher.publish({
      type: 'TokenChanged',
      message: { type: 'Token', id: 't', change_type: 2, data: {} },
    });
    await settled();
    expect(appended).toMatchObject([{ audience: [], effect: { kind: 'revocation', token_id: 't' } }]);
  });

  it('conflates events of one stack: the first at once, the rest as one without an id', async () => {
    const { publisher, appended, advance } = make();
    for (const id of ['e1', 'e2', 'e3'])
      await publisher.publish({ type: 'PersistentEventChanged', message: event(id) });
    await publisher.publish({
      type: 'PersistentEventChanged',
      message: { ...event('x1'), stack_id: 'other' },
    });
    await settled();
    expect(appended.map(({ data }) => (messageOf(data) as { id?: string }).id)).toEqual(['e1', 'x1']);
    advance(250);
    await settled();
    expect(appended).toHaveLength(3);
    expect(messageOf(appended[2]?.data)).toEqual({
      ...project,
      type: 'PersistentEvent',
      stack_id: 's',
      change_type: 0,
    });
    advance(10_000);
    await settled();
    expect(appended).toHaveLength(3);
  });

  it('says which recorded messages a conflated one stands for, and appends a recorded one again as it is', async () => {
    const { publisher, appended, advance } = make();
    for (const id of ['e1', 'e2', 'e3']) {
      const message = publisher.prepare({ type: 'PersistentEventChanged', message: event(id) });
      await publisher.send(message, `row of ${id}`);
    }
    advance(250);
    await settled();
    expect(appended.map(({ recordIds }) => recordIds)).toEqual([['row of e1'], ['row of e2', 'row of e3']]);
    const { stamped } = publisher.prepare({ type: 'PersistentEventChanged', message: event('e4') });
    if (stamped === undefined) throw new Error('it is for its organization');
    for (const id of ['r1', 'r2']) await publisher.resend({ ...stamped, recordIds: [id] });
    await settled();
    expect(appended.slice(2)).toMatchObject(['r1', 'r2'].map((id) => ({ ...stamped, recordIds: [id] })));
  });

  it('keeps the id of a single event that waited', async () => {
    const { publisher, appended, advance } = make();
    for (const id of ['e1', 'e2'])
      await publisher.publish({ type: 'PersistentEventChanged', message: event(id) });
    advance(250);
    await settled();
    expect(appended.map(({ data }) => (messageOf(data) as { id?: string }).id)).toEqual(['e1', 'e2']);
  });

  describe('of a request that names its stream', () => {
    const request = { madeBy: { connection: 'c', owner: 'user:u' }, traceparent: 'trace' };
    const saved = { type: 'StackChanged', message: { ...stack, change_type: 1 } } as const;

    it('marks an invalidation, and nothing that is critical or has an effect', async () => {
      const { publisher, appended } = make();
      const token = { type: 'Token', id: 't', organization_id: 'o', change_type: 2, data: {} } as const;
      await publisher.send(publisher.prepare(saved, request));
      await publisher.send(publisher.prepare({ type: 'TokenChanged', message: token }, request));
      const overage = { organization_id: 'o', is_hourly: true };
      await publisher.send(publisher.prepare({ type: 'PlanOverage', message: overage }, request));
      await settled();
      expect(appended.map(({ madeBy, traceparent }) => [madeBy, traceparent])).toEqual([
        [request.madeBy, 'trace'],
        [undefined, 'trace'],
        [undefined, 'trace'],
      ]);
    });

    it('equals no message without the mark, or with another one', async () => {
      const { publisher, appended } = make();
      const other = { madeBy: { ...request.madeBy, connection: 'd' } };
      for (const of of [request, {}, other]) await publisher.send(publisher.prepare(saved, of));
      await settled();
      expect(new Set(appended.map(({ key }) => key)).size).toBe(3);
      // What a redacted message says is marked alike.
      expect(appended[0]?.key).toContain('StackChanged');
    });

    it('drops the mark of what it merges', async () => {
      const { publisher, appended, advance } = make();
      for (const id of ['e1', 'e2', 'e3']) {
        await publisher.send(
          publisher.prepare({ type: 'PersistentEventChanged', message: event(id) }, request),
        );
      }
      advance(250);
      await settled();
      expect(appended.map(({ madeBy }) => madeBy?.connection)).toEqual(['c', undefined]);
    });
  });

  it('sends what waits when it is closed, and reports what cannot be appended later', async () => {
    const { publisher, appended } = make();
    for (const id of ['e1', 'e2'])
      await publisher.publish({ type: 'PersistentEventChanged', message: event(id) });
    await publisher.close();
    await settled();
    expect(appended).toHaveLength(2);

    const failing = make();
    await failing.publisher.publish({ type: 'PersistentEventChanged', message: event('e1') });
    await failing.publisher.publish({ type: 'PersistentEventChanged', message: event('e2') });
    failing.log.append = () => Promise.reject(new Error('the log is away'));
    failing.advance(250);
    await settled();
    expect(failing.failures).toMatchObject([{ message: 'the log is away' }]);
  });

  it('hands what it merged to whom it was published, whatever a catalog drops while merging', async () => {
    const { publisher, appended, advance } = make();
    const own = { type: 'Organization', change_type: ChangeType.Saved, data: {} };
    for (let sent = 0; sent < 5; sent += 1) {
      await publisher.publish({ type: 'PersistentEventChanged', message: { ...own, id: 'o' } });
      await publisher.publish({ type: 'PersistentEventChanged', message: { ...own, id: 'other' } });
    }
    advance(250);
    await settled();
    const heard = (id: string) =>
      appended.filter(({ audience }) => JSON.stringify(audience) === JSON.stringify([organization(id)]));
    expect([heard('o').length, heard('other').length]).toEqual([2, 2]);

    const log = new MemoryMessageLog();
    const told: StampedMessage[] = [];
    log.follow({ record: (record) => void told.push(record), hole: () => undefined });
    const clock = new VirtualClock();
    const careless = {
      ...catalog.PersistentEventChanged,
      key: () => 'all',
      conflate: {
        intervalMs: 100,
        merge: (): EntityChanged => ({ type: 'Thing', change_type: 1, data: {} }),
      },
    };
    const own2 = new PushPublisher(
      log,
      { ThingChanged: careless },
      MAX_MESSAGE_BYTES,
      testEnvironment({ clock }),
    );
    for (const organization_id of ['a', 'b', 'a', 'b', 'a', 'b'])
      await own2.publish({ type: 'ThingChanged', message: { ...stack, organization_id } });
    clock.advance(100);
    await settled();
    expect(told.map(({ audience }) => audience)).toEqual(
      ['a', 'b', 'a', 'b'].map((id) => [organization(id)]),
    );
  });
});
