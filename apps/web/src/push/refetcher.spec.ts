import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { FreshQueryClient } from './fresh-query-client';
import { HeldServer } from './held-server.spec-kit';
import { Refetcher } from './refetcher';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Opens pages of these keys, and answers their first fetch. */
async function begin(...keys: readonly string[]) {
  const client = new FreshQueryClient({ defaultOptions: { queries: { staleTime: 30_000, retry: false } } });
  const server = new HeldServer(client);
  for (const key of keys) {
    server.open(key);
    server.answer(key);
  }
  await vi.advanceTimersByTimeAsync(0);
  server.requests = 0;
  return { server, refetcher: new Refetcher(client) };
}

it('refetches at once after the first change, and in whole rounds during a burst, the last one after the last change', async () => {
  const { server, refetcher } = await begin('a', 'b', 'c');
  refetcher.add(['a']);
  expect(server.requests).toBe(1);
  for (let index = 0; index < 1000; index += 1) {
    server.change('a');
    server.change('b');
    refetcher.add(['a'], ['b']);
  }
  expect(server.requests).toBe(2);
  await vi.advanceTimersByTimeAsync(50);
  for (const key of ['a', 'b']) server.answer(key);
  await vi.advanceTimersByTimeAsync(299);
  expect(server.requests).toBe(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(server.requests).toBe(4);
  for (const key of ['a', 'b']) server.answer(key);
  await vi.advanceTimersByTimeAsync(1000);
  expect(server.requests).toBe(4);
  expect([server.shows('a'), server.shows('b')]).toEqual([1000, 1000]);
  refetcher.add(['c']);
  expect(server.requests).toBe(5);
});

it('goes on after a refetch that failed', async () => {
  const { server, refetcher } = await begin('a');
  refetcher.add(['a']);
  refetcher.add(['a']);
  server.fail('a');
  await vi.advanceTimersByTimeAsync(300);
  expect(server.requests).toBe(2);
});

it('does not let a query whose response is held back delay another query', async () => {
  const { server, refetcher } = await begin('a', 'b');
  refetcher.add([]);
  server.answer('b');
  await vi.advanceTimersByTimeAsync(300);
  server.change('b');
  refetcher.add(['b']);
  server.answer('b');
  await vi.advanceTimersByTimeAsync(0);
  expect(server.shows('b')).toBe(1);
});

it('lets a page that is opened between two rounds fetch at once', async () => {
  const { server, refetcher } = await begin('a');
  refetcher.add(['a']);
  server.answer('a');
  await vi.advanceTimersByTimeAsync(100);
  server.close('a');
  server.change('a');
  refetcher.add(['a']);
  server.open('a');
  server.answer('a');
  await vi.advanceTimersByTimeAsync(0);
  expect(server.shows('a')).toBe(1);
});

it.each(['first list', 'list that is shown'])(
  'shows a %s that takes 2 s while a message comes every 100 ms, and fetches it once in that time',
  async (which) => {
    const { server, refetcher } = which === 'first list' ? await begin() : await begin('a');
    server.open('a');
    let answering = false;
    const shown: number[] = [];
    for (let tenths = 0; tenths < 200; tenths += 1) {
      if (!answering && server.pending.length > 0) {
        answering = true;
        server.compute('a');
        setTimeout(() => {
          server.answer('a');
          answering = false;
        }, 2000);
      }
      expect(server.pending.length).toBeLessThanOrEqual(1);
      if (tenths < 150) {
        server.change('a');
        refetcher.add(['a']);
      }
      await vi.advanceTimersByTimeAsync(100);
      const now = server.shows('a');
      if (now !== undefined && now !== shown.at(-1)) shown.push(now);
    }
    expect(shown.length).toBeGreaterThan(5);
    expect(shown.at(-1)).toBe(150);
    expect(server.requests).toBeLessThanOrEqual(10);
  },
);
