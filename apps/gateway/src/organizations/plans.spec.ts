import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planIds } from '../database/schema/organizations.js';
import { endOf, plans, shareOf, startOf } from './plans.js';

describe('periods', () => {
  it('begin and end with the calendar, UTC', () => {
    const now = new Date('2026-12-31T23:59:59.999Z');
    expect(startOf('hour', now).toISOString()).toBe('2026-12-31T23:00:00.000Z');
    expect(endOf('hour', now).toISOString()).toBe('2027-01-01T00:00:00.000Z');
    expect(startOf('month', now).toISOString()).toBe('2026-12-01T00:00:00.000Z');
    expect(endOf('month', now).toISOString()).toBe('2027-01-01T00:00:00.000Z');
    expect(endOf('month', new Date('2027-01-31T12:00:00Z')).toISOString()).toBe('2027-02-01T00:00:00.000Z');
  });
});

describe('a share', () => {
  it('is the first events up to the limit, and names the periods that have no room for the rest', () => {
    const used = fc.record({ hour: fc.nat(4000), month: fc.nat(20_000) });
    fc.assert(
      fc.property(
        fc.constantFrom(...planIds),
        used,
        fc.integer({ min: 1, max: 50_000 }),
        (id, total, events) => {
          const { fits, over } = shareOf(id, total, events);
          const { hour, month } = plans[id];
          expect(fits).toBeGreaterThanOrEqual(0);
          expect(fits).toBeLessThanOrEqual(events);
          expect(over.length > 0).toBe(fits < events);
          // One event more would be over one of them, and what fits is over none.
          for (const [period, limit] of [
            ['hour', hour],
            ['month', month],
          ] as const) {
            const after = total[period] + fits;
            if (fits > 0) expect(after).toBeLessThanOrEqual(limit ?? Infinity);
            expect(over.includes(period)).toBe(total[period] + events > (limit ?? Infinity));
          }
          if (fits < events)
            expect(
              total.hour + fits + 1 > (hour ?? Infinity) || total.month + fits + 1 > (month ?? Infinity),
            ).toBe(true);
        },
      ),
    );
  });

  it.each([
    ['free', { hour: 0, month: 0 }, 300, 300, []],
    ['free', { hour: 0, month: 0 }, 301, 300, ['hour']],
    ['free', { hour: 297, month: 297 }, 9, 3, ['hour']],
    ['free', { hour: 0, month: 2999 }, 5, 1, ['month']],
    ['free', { hour: 299, month: 2999 }, 5, 1, ['hour', 'month']],
    ['free', { hour: 309, month: 309 }, 1, 0, ['hour']],
    ['unlimited', { hour: 1e9, month: 1e9 }, 50_000, 50_000, []],
  ] as const)('of %s with %o used is of %i events %i', (id, used, events, fits, over) => {
    expect(shareOf(id, used, events)).toEqual({ planId: id, fits, over });
  });
});
