import { everyone, organization, user } from '@crossfade/protocol';
import { ChangeType } from '@crossfade/protocol/catalog';
import { describe, expect, it } from 'vitest';
import { make } from './admission.spec-kit.js';
import type { LogRecord } from './log.js';
import { concerns, effectOf } from './effects.js';
import { settled } from './scripted.spec-kit.js';

const record = (over: Partial<LogRecord>): LogRecord => ({
  cursor: '1',
  offset: 1n,
  publishedAt: 0,
  type: 'T',
  data: '{}',
  audience: [everyone],
  delivery: 'critical',
  key: 'k',
  ...over,
});
const who = { userId: 'u', tokenId: 't', organizationIds: new Set<string>() };

describe('an effect', () => {
  it('is read from the stamp, and nothing else', () => {
    const stamped = record({ audience: [user('u')], effect: { kind: 'revocation', token_id: 't' } as never });
    expect(effectOf(stamped)).toEqual({ kind: 'revocation', token_id: 't' });
    expect(effectOf(record({}))).toBeUndefined();
  });

  it('may be one that only a newer replica knows', () => {
    expect(effectOf(record({ effect: { kind: 'of the future' } }))).toEqual({ kind: 'unknown' });
    expect(effectOf(record({ effect: { kind: 'revocation' } }))).toEqual({ kind: 'unknown' });
  });
});

describe('concerns', () => {
  const membership = { kind: 'membership', change: 'removed', user_id: 'u', organization_id: 'o' };
  it.each([
    ['no effect', undefined, [everyone], false],
    ['a membership of this user', membership, [everyone], true],
    ['a membership of another', { ...membership, user_id: 'x' }, [everyone], false],
    ['this token', { kind: 'revocation', token_id: 't' }, [user('x')], true],
    ['another token of the same user', { kind: 'revocation', token_id: 'x' }, [user('u')], false],
    ['an unknown effect on an organization', { kind: '?' }, [organization('o')], true],
    ['an unknown effect on another user', { kind: '?' }, [user('x')], false],
  ] as const)('%s', (_title, effect, audience, expected) => {
    const stamped = record({ audience, ...(effect === undefined ? {} : { effect }) });
    expect(concerns(stamped, who)).toBe(expected);
  });
});

describe('a removal that the database no longer says', () => {
  const changed = (id: string) =>
    ({
      type: 'StackChanged',
      message: { type: 'Stack', id, organization_id: 'o', change_type: 1, data: {} },
    }) as const;
  const stackChanged = changed('s');
  const announcement = { type: 'SystemNotification', message: { date: '2026-01-01T00:00:00Z' } } as const;
  const removal = {
    type: 'UserMembershipChanged',
    message: { change_type: ChangeType.Removed, user_id: 'u', organization_id: 'o' },
  } as const;
  const pending = () => {
    let resolve: () => void = () => undefined;
    return { promise: new Promise<void>((done) => (resolve = done)), resolve: () => resolve() };
  };

  it('takes nothing from a live stream: the log waits for the answer', async () => {
    const { connect, accounts, publisher } = await make();
    const { transport } = await connect();
    const answer = pending();
    accounts.gate = answer.promise;
    for (const message of [removal, changed('1'), removal, changed('2')]) await publisher.publish(message);
    await settled();
    expect(transport?.types).toEqual(['Connected']);
    answer.resolve();
    await settled();
    expect(transport?.types.slice(1)).toEqual([
      'UserMembershipChanged',
      'StackChanged',
      'UserMembershipChanged',
      'StackChanged',
    ]);
  });

  it('has a client refetch whose stream was reading on meanwhile, past what is for its organization', async () => {
    const { connect, accounts, publisher } = await make({ writeQueueCapacity: 3 });
    const { transport } = await connect();
    await settled();
    if (transport !== undefined) transport.writable = false;
    for (let time = 0; time < 5; time += 1) await publisher.publish(announcement);
    await publisher.publish(stackChanged);
    await settled();
    const answer = pending();
    accounts.gate = answer.promise;
    await publisher.publish(removal);
    await settled();
    transport?.drain();
    for (let turn = 0; turn < 10; turn += 1) await settled();
    expect(transport?.types).not.toContain('StackChanged');
    answer.resolve();
    for (let turn = 0; turn < 10; turn += 1) await settled();
    expect(transport?.types.slice(-2)).toEqual(['Resync', 'UserMembershipChanged']);
    await publisher.publish(stackChanged);
    await settled();
    expect(transport?.types.at(-1)).toBe('StackChanged');
  });
});
