import type { QueryKey } from '@tanstack/svelte-query';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Refetcher } from './refetcher';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('reads the first change at once, and a burst in whole rounds, the last one after the last change', async () => {
  const rounds: (readonly QueryKey[])[] = [];
  const refetcher = new Refetcher(async (keys) => {
    rounds.push(keys);
    await new Promise((resolve) => setTimeout(resolve, 50));
  });
  refetcher.add(['a']);
  expect(rounds).toEqual([[['a']]]);
  for (let index = 0; index < 1000; index += 1) refetcher.add(['a'], ['b', index % 2]);
  await vi.advanceTimersByTimeAsync(350);
  expect(rounds.slice(1)).toEqual([[['a'], ['b', 0], ['b', 1]]]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(rounds).toHaveLength(2);
  refetcher.add(['c']);
  expect(rounds).toHaveLength(3);
});

it('goes on after a refetch that failed', async () => {
  let calls = 0;
  const refetcher = new Refetcher(() => {
    calls += 1;
    return Promise.reject(new Error('away'));
  });
  refetcher.add(['a']);
  refetcher.add(['a']);
  await vi.advanceTimersByTimeAsync(1000);
  expect(calls).toBe(2);
});
