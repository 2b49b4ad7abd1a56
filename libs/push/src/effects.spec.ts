import { everyone, organization, user } from '@crossfade/protocol';
import { describe, expect, it } from 'vitest';
import type { LogRecord } from './log.js';
import { concerns, effectOf } from './effects.js';

const record = (over: Partial<LogRecord>): LogRecord => ({
  cursor: '1',
  offset: 1n,
  publishedAt: 0,
  type: 'T',
  message: {},
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
