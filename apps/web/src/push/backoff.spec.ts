import fc from 'fast-check';
import { expect, it } from 'vitest';
import { backoff, stretch } from './backoff';

const chance = fc.double({ min: 0, max: 1, noNaN: true });

it('waits anything up to 1, 2, 4 … 30 seconds', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 1000].map((attempt) => backoff(attempt, 1))).toEqual([
    1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
  ]);
  fc.assert(
    fc.property(fc.nat(), chance, (attempt, random) => {
      expect(backoff(attempt, random)).toBeGreaterThanOrEqual(0);
      expect(backoff(attempt, random)).toBeLessThanOrEqual(30_000);
    }),
  );
});

it('stretches a time that the server named, and never shortens it', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), chance, (named, random) => {
      expect(stretch(named, random)).toBeGreaterThanOrEqual(named);
      expect(stretch(named, random)).toBeLessThanOrEqual(Math.round(named * 1.5));
    }),
  );
});
