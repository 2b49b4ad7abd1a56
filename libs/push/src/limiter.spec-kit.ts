import { describe, expect, it } from 'vitest';
import type { MakeLimiter } from './limiter.js';

let names = 0;
/** A name that no other test has. */
export const limiterName = (): string => `limiter-${(names += 1)}`;

/** What every limiter does. */
export function limiterContract(name: string, make: () => MakeLimiter): void {
  describe(`${name} is a limiter`, () => {
    it('counts each key up to the limit, and says what is left', async () => {
      const limiter = make()(limiterName(), 2, 60);
      expect(limiter.points).toBe(2);
      expect(await limiter.look('a')).toMatchObject({ fits: true, left: 2 });
      expect(await limiter.count('a')).toMatchObject({ fits: true, left: 1 });
      expect(await limiter.look('a')).toMatchObject({ fits: true, left: 1 });
      expect(await limiter.count('a')).toMatchObject({ fits: true, left: 0 });
      const refused = await limiter.count('a');
      expect(refused).toMatchObject({ fits: false, left: 0 });
      expect(refused.msBeforeNext).toBeGreaterThan(50_000);
      expect(refused.msBeforeNext).toBeLessThanOrEqual(60_000);
      expect((await limiter.look('a')).fits).toBe(false);
      expect((await limiter.count('b')).fits).toBe(true);
    });

    it('counts all or none', async () => {
      const limiter = make()(limiterName(), 10, 60);
      expect((await limiter.count('a', 11)).fits).toBe(false);
      expect((await limiter.count('a', 8)).fits).toBe(true);
      expect((await limiter.count('a', 3)).fits).toBe(false);
      expect((await limiter.count('a', 2)).fits).toBe(true);
    });

    it('never counts more than the limit, however many count at once', async () => {
      const limiter = make()(limiterName(), 100, 60);
      const counts = await Promise.all(
        Array.from({ length: 60 }, (_, index) => limiter.count('a', 1 + (index % 5))),
      );
      const counted = counts.reduce((sum, { fits }, index) => sum + (fits ? 1 + (index % 5) : 0), 0);
      expect(counted).toBeLessThanOrEqual(100);
      expect(counted).toBeGreaterThan(95);
    });

    it('takes points back, and forgets', async () => {
      const limiter = make()(limiterName(), 2, 60);
      await limiter.count('a', 2);
      await limiter.giveBack('a');
      expect(await limiter.count('a')).toMatchObject({ fits: true, left: 0 });
      await limiter.forget('a');
      expect(await limiter.count('a', 2)).toMatchObject({ fits: true, left: 0 });
    });

    it('begins again when the period is over', async () => {
      const limiter = make()(limiterName(), 1, 1);
      expect((await limiter.count('a')).fits).toBe(true);
      const { fits, msBeforeNext } = await limiter.count('a');
      expect(fits).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, msBeforeNext + 50));
      expect((await limiter.count('a')).fits).toBe(true);
    });
  });
}
