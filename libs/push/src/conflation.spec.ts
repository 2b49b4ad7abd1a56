import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Conflation } from './conflation.js';

const WINDOW = 250;

it('lets the first out at once, and makes one of the equal ones that follow within the window', () => {
  const windows = new Conflation<number[]>(WINDOW, (earlier, later) => [...earlier, ...later]);
  expect(windows.add('a', [1], 0)).toBe('pass');
  expect(windows.add('a', [2], 10)).toBe('waiting');
  expect(windows.add('b', [3], 20)).toBe('pass');
  expect(windows.add('a', [4], 30)).toBe('merged');
  expect(windows.due(249)).toEqual([]);
  expect(windows.nextDue).toBe(250);
  expect(windows.due(250)).toEqual([[2, 4]]);
  expect(windows.add('a', [5], 300)).toBe('waiting');
  expect(windows.due(500)).toEqual([[5]]);
  expect(windows.due(750)).toEqual([]);
  expect(windows.nextDue).toBeUndefined();
  expect(windows.add('a', [6], 800)).toBe('pass');
});

it('loses nothing, keeps the order of each key, and lets no key out twice within a window', () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), wait: fc.integer({ min: 0, max: 400 }) });
  fc.assert(
    fc.property(fc.array(step), fc.integer({ min: 1, max: 60 }), (steps, late) => {
      const windows = new Conflation<{ key: string; ids: number[] }>(WINDOW, (earlier, later) => ({
        key: later.key,
        ids: [...earlier.ids, ...later.ids],
      }));
      const out: { key: string; ids: number[]; at: number }[] = [];
      let now = 0;
      /** Later than it is due, by up to `late`. */
      const ask = (due = Number.POSITIVE_INFINITY) => Math.ceil(due / late) * late;
      const collect = (until: number): void => {
        for (let due = ask(windows.nextDue); due <= until; due = ask(windows.nextDue)) {
          for (const item of windows.due(due)) out.push({ ...item, at: due });
        }
      };
      for (const [id, { key, wait }] of steps.entries()) {
        now += wait;
        collect(now);
        const item = { key, ids: [id] };
        if (windows.add(key, item, now) === 'pass') out.push({ ...item, at: now });
      }
      for (const item of windows.flush()) out.push({ ...item, at: Number.POSITIVE_INFINITY });
      for (const key of ['a', 'b', 'c']) {
        const own = out.filter((item) => item.key === key);
        const offered = [...steps.entries()].filter(([, one]) => one.key === key).map(([id]) => id);
        expect(own.flatMap(({ ids }) => ids)).toEqual(offered);
        for (const [index, { at }] of own.entries()) {
          if (index > 0) expect(at - (own[index - 1]?.at ?? 0)).toBeGreaterThanOrEqual(WINDOW);
        }
      }
      expect(windows.nextDue).toBeUndefined();
    }),
    { numRuns: 1000 },
  );
});
