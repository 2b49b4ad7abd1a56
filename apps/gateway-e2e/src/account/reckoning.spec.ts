import { expect, it } from 'vitest';
import type { Heard } from './clients.ts';
import type { Departure } from './departures.ts';
import { deliveryFaults, placesOf, rightFaults } from './reckoning.ts';

const heard = (at: number, type: string, message: unknown, id?: string, stream = 0): Heard => ({
  at,
  type,
  message,
  id,
  stream,
});
const stale = (at: number, text: string, id: string, stream = 0) =>
  heard(at, 'StackChanged', { data: { text } }, id, stream);
const critical = (at: number, text: string, id: string) =>
  heard(at, 'ReleaseNotification', { message: text }, id);
const connected = (at: number, resumed: string, stream = 0) =>
  heard(at, 'Connected', { resumed }, undefined, stream);
const resync = (at: number) => heard(at, 'Resync', { reason: 'log_lost' });
const listener = (all: readonly Heard[], { knowsResync = true, askedAt = [0, 0, 0] } = {}) => ({
  heard: all,
  knowsResync,
  askedAt,
});
const accepted = (text: string, at: number, isCritical = false) => {
  return { text, isCritical, sentAt: at, acceptedAt: at };
};
const reckon = (
  all: readonly Heard[],
  published: ReturnType<typeof accepted>[],
  { others = [] as readonly Heard[], lostAt = [] as number[], knowsResync = true } = {},
) => {
  const one = listener(all, { knowsResync });
  return deliveryFaults(one, published, placesOf([one, listener(others)]), lostAt);
};

it('finds a critical message that never came, or came under two ids', () => {
  const published = [accepted('a', 1, true), accepted('b', 1, true)];
  const twice = [critical(2, 'a', 'one.1-0'), critical(3, 'a', 'one.1-0'), critical(4, 'a', 'one.2-0')];
  expect(reckon(twice, published)).toEqual([
    'heard a under several ids: one.1-0, one.2-0',
    'never heard critical b',
  ]);
});

it('finds silence about an invalidation, unless the client refetches afterwards', () => {
  const published = [accepted('a', 100)];
  const faults = ['was silent about a'];
  expect(reckon([connected(0, 'fresh')], published)).toEqual(faults);
  expect(reckon([resync(50)], published, { lostAt: [40] })).toEqual(faults);
  expect(reckon([resync(150)], published, { lostAt: [40] })).toEqual([]);
  expect(reckon([connected(150, 'gap')], published)).toEqual([]);
  expect(reckon([connected(150, 'resumed')], published)).toEqual(faults);
  expect(reckon([connected(150, 'resumed')], published, { knowsResync: false })).toEqual([]);
});

it('finds a Resync although nothing was lost', () => {
  expect(reckon([resync(150)], [])).toEqual([
    'was told to refetch, and nothing was lost: {"reason":"log_lost"}',
  ]);
});

it('finds what was passed over, what is out of order, and another log without a word', () => {
  const others = [stale(1, 'a', 'one.1-0'), stale(2, 'b', 'one.2-0'), stale(3, 'c', 'one.3-0')];
  const [a, b, c] = others as [Heard, Heard, Heard];
  const published = [accepted('a', 0), accepted('b', 0), accepted('c', 0)];
  const later = resync(60_000);
  const reckoned = (...all: readonly Heard[]) => reckon([...all, later], published, { others, lostAt: [1] });
  expect(reckoned(a, c)).toEqual(['heard a, then c, and nothing of b']);
  expect(reckoned(a, resync(2), c)).toEqual([]);
  expect(reckoned(b, a, c)).toEqual(['heard a after b']);
  expect(reckoned(a, b, c, stale(4, 'd', 'two.1-0'))).toEqual([
    'went from c to d, in another log, without a word',
  ]);
});

it('finds what somebody was shown without a right', () => {
  const removal = heard(105, 'UserMembershipChanged', { change_type: 2, user_id: 'u' });
  const departure = (kind: Departure['kind']): Departure => ({ kind, userId: 'u', goneAt: 100, clients: [] });
  const shown = (kind: Departure['kind'], ...all: readonly Heard[]) =>
    rightFaults(departure(kind), listener(all, { askedAt: [0, 101] }), 10_000).length;
  expect(shown('removed', stale(101, 'a', 'one.1-0'), removal, critical(200, 'c', 'one.3-0'))).toBe(0);
  expect(shown('removed', removal, stale(106, 'a', 'one.1-0'))).toBe(1);
  expect(shown('removed', stale(106, 'a', 'one.1-0', 1))).toBe(1);
  expect(shown('removed', resync(3000), stale(3001, 'a', 'one.1-0'))).toBe(1);
  expect(shown('removed', stale(10_101, 'a', 'one.1-0'))).toBe(1);
  expect(shown('revoked', critical(10_101, 'a', 'one.1-0'))).toBe(1);
  expect(shown('revoked', connected(102, 'resumed', 1))).toBe(1);
  expect(shown('revoked', heard(105, 'Revoked', {}))).toBe(0);
});
