import { describe, expect, it } from 'vitest';
import { at, logged } from './scripted.spec-kit.js';
import { Window } from './window.js';

const limits = { capacity: 4, criticalCapacity: 2, criticalRetentionMs: 1000 };
const make = (over = {}) => new Window({ ...limits, ...over }, at(10), at(10));
const of = (id: string) => ({ audience: [{ kind: 'organization' as const, id }] });
const o = ['everyone', 'organization:o'];
const quiet = ['everyone', 'organization:quiet'];
const offsets = (frames: Iterable<{ offset: bigint }>) => [...frames].map(({ offset }) => Number(offset));

describe('the window', () => {
  it('is complete from where it began', () => {
    const window = make();
    expect(window.covers(9n, o)).toBe(false);
    expect(window.covers(10n, o)).toBe(true);
    window.push(logged(11));
    expect(offsets(window.after(10n, o))).toEqual([11]);
    expect(offsets(window.after(11n, o))).toEqual([]);
    expect(window.head).toEqual(at(11));
  });

  it('drops the oldest of the audience that has most, and nobody else loses anything', () => {
    const window = make();
    window.push(logged(11, of('quiet')));
    for (let offset = 12; offset < 40; offset += 1) window.push(logged(offset));
    expect(offsets(window.after(10n, quiet))).toEqual([11]);
    expect(window.covers(10n, quiet)).toBe(true);
    expect(window.covers(10n, o)).toBe(false);
    expect(window.covers(36n, o)).toBe(true);
    expect(window.covers(35n, o)).toBe(false);
    expect(offsets(window.after(36n, o))).toEqual([37, 38, 39]);
  });

  it('counts a large record as several', () => {
    const window = make();
    window.push(logged(11));
    window.push(logged(12, { data: 'x'.repeat(3 * 4096) }));
    expect(window.covers(11n, o)).toBe(true);
    expect(window.covers(10n, o)).toBe(false);
    window.push(logged(13, { data: 'x'.repeat(100 * 4096) }));
    expect(window.covers(12n, o)).toBe(false);
    expect(window.covers(13n, o)).toBe(true);
  });

  it('says so for everyone when more audiences than it has room for are forgotten', () => {
    const window = make({ capacity: 2 });
    for (const [index, id] of ['a', 'b', 'c'].entries()) window.push(logged(11 + index, of(id)));
    expect(window.covers(10n, ['organization:a'])).toBe(false);
    expect(window.covers(11n, ['organization:a'])).toBe(true);
    expect(window.covers(11n, ['organization:b', 'organization:c'])).toBe(true);
  });

  it('keeps critical records apart, and merges them in order, each once', () => {
    const window = make();
    window.push(
      logged(11, { delivery: 'critical', audience: [{ kind: 'user', id: 'u' }, ...of('o').audience] }),
    );
    for (let offset = 12; offset < 20; offset += 1) window.push(logged(offset));
    expect(window.coversCriticals(10n, o)).toBe(true);
    expect(offsets(window.after(10n, [...o, 'user:u'], 'critical'))).toEqual([11]);
    expect(offsets(window.after(10n, [...o, 'user:u']))).toEqual([11, 16, 17, 18, 19]);
  });

  it('drops critical records by count and by age, and says from where on it has all', () => {
    const window = make();
    for (const offset of [11, 12, 13])
      window.push(logged(offset, { delivery: 'critical', publishedAt: offset * 100 }));
    expect(window.coversCriticals(10n, o)).toBe(false);
    expect(window.criticalFloor(o)).toEqual(at(11));
    window.expire(2250);
    expect(window.criticalFloor(o)).toEqual(at(12));
    expect(offsets(window.after(10n, o, 'critical'))).toEqual([13]);
    window.expire(9999);
    expect(window.criticalFloor(o)).toEqual(at(13));
  });

  it('knows the critical records from before its start, and its invalidations only from there', () => {
    const restored = Window.of(limits, {
      head: at(10),
      records: [logged(3, { delivery: 'critical' }).record],
      beginning: at(10),
      floor: at(10),
      criticalFloor: at(0),
    });
    expect(restored.coversCriticals(0n, o)).toBe(true);
    expect(restored.covers(3n, o)).toBe(false);
    expect(offsets(restored.after(0n, o, 'critical'))).toEqual([3]);
  });

  it('has what the log still has from before its start', () => {
    const restored = Window.of(limits, {
      head: at(12),
      records: [logged(3, { delivery: 'critical' }), logged(11), logged(12)].map(({ record }) => record),
      beginning: at(0),
      floor: at(10),
      criticalFloor: at(2),
    });
    expect(offsets(restored.after(2n, o))).toEqual([3, 11, 12]);
    expect([restored.covers(9n, o), restored.covers(10n, o), restored.head]).toEqual([false, true, at(12)]);
  });

  it.each(['trimmed', 'flushed'] as const)(
    'after a hole, %s, it has only critical records from before it',
    (kind) => {
      const window = make();
      window.push(logged(11, { delivery: 'critical' }));
      window.push(logged(12, { effect: { kind: 'e' } }));
      const criticals = [logged(13, { delivery: 'critical' }).record];
      window.skip({ kind, position: at(20), criticals, isComplete: true });
      expect([window.covers(19n, o), window.covers(20n, o), window.head]).toEqual([false, true, at(20)]);
      expect(offsets(window.after(10n, o))).toEqual([11, 13]);
      expect(window.coversCriticals(10n, o)).toBe(true);
      // An admission under way asks again.
      expect([window.effectsSince(19n), window.effectsSince(20n)]).toEqual([undefined, []]);
      expect(window.beginning).toEqual(kind === 'trimmed' ? at(10) : at(20));
    },
  );

  it('has no critical record twice, if a lost log got it again', () => {
    const window = make({ criticalCapacity: 3 });
    const critical = { delivery: 'critical', recordIds: ['r'] } as const;
    window.push(logged(11, critical));
    window.push(logged(12, { delivery: 'critical', cursor: 'old' }));
    const again = [
      logged(21, critical),
      logged(22, { delivery: 'critical', id: 'old' }),
      logged(23, { delivery: 'critical' }),
    ].map(({ record }) => record);
    window.skip({ kind: 'flushed', position: at(30), criticals: again, isComplete: true });
    expect(offsets(window.after(10n, o))).toEqual([11, 12, 23]);
  });

  it.each([true, false])(
    'knows from where on it has all critical records, a hole complete or not: %s',
    (isComplete) => {
      const window = make();
      window.push(logged(11, { delivery: 'critical' }));
      const criticals = [logged(13, { delivery: 'critical' }).record];
      window.skip({ kind: 'flushed', position: at(20), criticals, isComplete });
      expect([19n, 20n].map((offset) => window.hasAllCriticals(offset, o))).toEqual([isComplete, true]);
      // What it holds is replayed all the same.
      expect(offsets(window.after(10n, o))).toEqual([11, 13]);
      expect(window.coversCriticals(10n, o)).toBe(true);
    },
  );

  it('holds effects for those who are being admitted, and says when it cannot', () => {
    const window = make();
    expect(window.effectsSince(9n)).toBeUndefined();
    for (let offset = 11; offset <= 1011; offset += 1) window.push(logged(offset, { effect: { kind: 'e' } }));
    window.push(logged(1012));
    expect(window.effectsSince(10n)).toBeUndefined();
    expect(window.effectsSince(11n)).toHaveLength(1000);
    expect(window.effectsSince(1011n)).toEqual([]);
  });
});
