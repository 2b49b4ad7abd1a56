import { describe, expect, it } from 'vitest';
import type { LeaseStore } from './lease.js';

/** What every lease store does. */
export function leaseStoreContract(name: string, make: () => LeaseStore): void {
  describe(`${name} is a lease store`, () => {
    it('gives as many places as the limit, to each owner', async () => {
      const store = make();
      expect(await store.acquire('user:a', 'c1', 2)).toBe('acquired');
      expect(await store.acquire('user:a', 'c2', 2)).toBe('acquired');
      expect(await store.acquire('user:a', 'c3', 2)).toBe('full');
      expect(await store.acquire('user:b', 'c4', 2)).toBe('acquired');
      await store.close();
    });

    it('frees a place once, however often it is released', async () => {
      const store = make();
      await store.acquire('user:a', 'c1', 1);
      await store.release('user:a', 'c1');
      await store.release('user:a', 'c1');
      expect(await store.acquire('user:a', 'c2', 1)).toBe('acquired');
      expect(await store.acquire('user:a', 'c3', 1)).toBe('full');
      await store.close();
    });

    it('hands a place over at the limit, and only a place of the same owner', async () => {
      const store = make();
      await store.acquire('user:a', 'c1', 1);
      expect(await store.acquire('user:b', 'c2', 1, 'c1')).toBe('acquired');
      expect(await store.acquire('user:a', 'c3', 1, 'c1')).toBe('taken_over');
      expect(await store.acquire('user:a', 'c4', 1, 'c1')).toBe('full');
      await store.release('user:a', 'c1');
      expect(await store.acquire('user:a', 'c5', 1)).toBe('full');
      await store.close();
    });

    it('never gives more places than the limit to those who ask at once', async () => {
      const store = make();
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) => store.acquire('user:a', `c${index}`, 7)),
      );
      expect(answers.filter((answer) => answer === 'acquired')).toHaveLength(7);
      await store.close();
    });
  });
}
