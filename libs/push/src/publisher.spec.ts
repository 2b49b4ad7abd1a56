import { everyone, organization, user } from '@crossfade/protocol';
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
  log.follow((record) => void appended.push(record));
  const clock = new VirtualClock();
  const advance = (milliseconds: number): void => clock.advance(milliseconds);
  const failures: unknown[] = [];
  const environment = testEnvironment({ clock, onError: (error) => failures.push(error) });
  const publisher = new PushPublisher(log, catalog, MAX_MESSAGE_BYTES, environment);
  return { publisher, appended, advance, log, failures };
}

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
    const [first, equal, removed, other] = appended.map(({ key }) => key);
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
    expect(appended.map(({ type, message }) => [type, message])).toEqual([
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
    expect(appended.map(({ message }) => (message as { id?: string }).id)).toEqual(['e1', 'x1']);
    advance(250);
    await settled();
    expect(appended).toHaveLength(3);
    expect(appended[2]?.message).toEqual({
      ...project,
      type: 'PersistentEvent',
      stack_id: 's',
      change_type: 0,
    });
    advance(10_000);
    await settled();
    expect(appended).toHaveLength(3);
  });

  it('keeps the id of a single event that waited', async () => {
    const { publisher, appended, advance } = make();
    for (const id of ['e1', 'e2'])
      await publisher.publish({ type: 'PersistentEventChanged', message: event(id) });
    advance(250);
    await settled();
    expect(appended.map(({ message }) => (message as { id?: string }).id)).toEqual(['e1', 'e2']);
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
    log.follow((record) => void told.push(record));
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
