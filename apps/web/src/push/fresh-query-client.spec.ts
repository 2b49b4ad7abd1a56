import { InfiniteQueryObserver, QueryObserver } from '@tanstack/svelte-query';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FreshQueryClient } from './fresh-query-client';
import { HeldServer } from './held-server.spec-kit';
import { Refetcher } from './refetcher';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function begin(retry = 0) {
  const client = new FreshQueryClient({
    defaultOptions: { queries: { staleTime: 30_000, retry, retryDelay: 200 } },
  });
  return { client, server: new HeldServer(client), refetcher: new Refetcher(client) };
}
const soon = () => vi.advanceTimersByTimeAsync(0);

describe('an invalidation during a fetch whose response was made before the change', () => {
  it.each([
    { at: 'the first fetch', prepare: async () => undefined },
    {
      at: 'a refetch',
      prepare: async (server: HeldServer, client: FreshQueryClient) => {
        server.answer('a');
        await soon();
        void client.invalidateQueries({ queryKey: ['a'] });
      },
    },
    {
      at: 'a first fetch after one that failed',
      prepare: async (server: HeldServer, client: FreshQueryClient) => {
        server.fail('a');
        await soon();
        void client.refetchQueries({ queryKey: ['a'] });
      },
    },
  ])('of $at is followed by another fetch, whose end it waits for', async ({ prepare }) => {
    const { client, server } = begin();
    server.open('a');
    await prepare(server, client);
    server.compute('a');
    server.change('a');
    let done = false;
    void client.invalidateQueries({ queryKey: ['a'] }).then(() => (done = true));
    await soon();
    server.answer('a');
    await soon();
    expect(server.shows('a')).toBe(0);
    expect(done).toBe(false);
    server.answer('a');
    await soon();
    expect(server.shows('a')).toBe(1);
    expect(done).toBe(true);
    expect(server.pending).toEqual([]);
  });

  it.each(['first fetch', 'refetch'])(
    'of a page that was left during the %s is fetched when the page is opened again',
    async (which) => {
      const { client, server } = begin();
      server.open('a');
      if (which === 'refetch') {
        server.answer('a');
        await soon();
        void client.invalidateQueries({ queryKey: ['a'] });
      }
      server.compute('a');
      server.close('a');
      server.change('a');
      void client.invalidateQueries({ queryKey: ['a'] });
      await soon();
      server.answer('a');
      await soon();
      // No page shows it, so it is not fetched.
      expect(server.pending).toEqual([]);
      server.open('a');
      server.answer('a');
      await soon();
      expect(server.shows('a')).toBe(1);
    },
  );

  it('of a page that is opened during a fetch which the page before it began', async () => {
    const { client, server } = begin();
    server.open('a');
    server.compute('a');
    server.close('a');
    server.change('a');
    void client.invalidateQueries({ queryKey: ['a'] });
    server.open('a');
    server.answer('a');
    await soon();
    server.answer('a');
    await soon();
    expect(server.shows('a')).toBe(1);
  });

  it('is one fetch more, however many invalidations come', async () => {
    const { client, server } = begin();
    server.open('a');
    server.compute('a');
    for (let index = 0; index < 100; index += 1) {
      server.change('a');
      void client.invalidateQueries();
    }
    server.answer('a');
    await soon();
    server.answer('a');
    await soon();
    expect(server.shows('a')).toBe(100);
    expect(server.requests).toBe(2);
  });

  it('keeps the next page of a list of pages that is being fetched', async () => {
    const { client } = begin();
    const answers: (() => void)[] = [];
    let version = 0;
    const observer = new InfiniteQueryObserver<string>(client, {
      queryKey: ['pages'],
      queryFn: ({ pageParam }) => {
        const computed = `${String(pageParam)}@${version}`;
        return new Promise((resolve) => answers.push(() => resolve(computed)));
      },
      initialPageParam: 1,
      getNextPageParam: (_page, pages) => pages.length + 1,
    });
    const close = observer.subscribe(() => undefined);
    const answer = async () => {
      answers.shift()?.();
      await soon();
    };
    await answer();
    void observer.fetchNextPage();
    version = 1;
    void client.invalidateQueries();
    await answer();
    expect(observer.getCurrentResult().data?.pages).toEqual(['1@0', '2@0']);
    await answer();
    await answer();
    expect(observer.getCurrentResult().data?.pages).toEqual(['1@1', '2@1']);
    close();
  });

  it('does not refetch a query that was removed meanwhile', async () => {
    const { client, server } = begin();
    server.open('a');
    void client.invalidateQueries();
    client.clear();
    await soon();
    server.answer('a');
    await soon();
    expect(server.requests).toBe(1);
    expect(server.shows('a')).toBeUndefined();
  });

  it('does not fetch a disabled query', async () => {
    const { client, server } = begin();
    const observer = new QueryObserver(client, { queryKey: ['off'], queryFn: () => 1, enabled: false });
    const close = observer.subscribe(() => undefined);
    await client.invalidateQueries();
    expect(observer.getCurrentResult().fetchStatus).toBe('idle');
    expect(server.requests).toBe(0);
    close();
  });
});

describe('data that a message brought', () => {
  it.each(['first fetch', 'refetch'])(
    'is not replaced by the response to a %s that began before',
    async (which) => {
      const { client, server } = begin();
      server.open('a');
      if (which === 'refetch') {
        server.answer('a');
        await soon();
        void client.invalidateQueries();
      }
      server.compute('a');
      client.overtake(['a'], 7);
      await soon();
      server.answer('a');
      await soon();
      expect(server.shows('a')).toBe(7);
    },
  );
});

describe('whatever happens in whatever order', () => {
  const KEYS = ['a', 'b', 'c'];
  const step = fc.record({
    do: fc.constantFrom(
      'open',
      'close',
      'change',
      'change',
      'mutate',
      'compute',
      'compute',
      'answer',
      'fail',
      'everything',
      'wait',
    ),
    key: fc.constantFrom(...KEYS),
    milliseconds: fc.integer({ min: 0, max: 400 }),
  });

  it('in the end, the pages show what the server has', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(2), async (steps, retry) => {
        const { client, server, refetcher } = begin(retry);
        for (const { do: act, key, milliseconds } of steps) {
          if (act === 'open' || act === 'close' || act === 'compute' || act === 'answer' || act === 'fail')
            server[act](key);
          else if (act === 'wait') await vi.advanceTimersByTimeAsync(milliseconds);
          else {
            // A resync follows, a message tells of the change, or the page made it itself.
            server.change(key);
            if (act === 'everything') refetcher.add([]);
            else if (act === 'change') refetcher.add([key]);
            else void client.invalidateQueries({ queryKey: [key] });
          }
          await soon();
        }
        const settle = async () => {
          for (let round = 0; round < 4; round += 1) {
            for (const key of KEYS) while (server.pending.some((one) => one.key === key)) server.answer(key);
            await vi.advanceTimersByTimeAsync(301);
          }
          expect(server.pending).toEqual([]);
        };
        await settle();
        for (const key of KEYS) {
          // A failure is shown, and fetched again when the page is opened.
          if (server.query(key)?.state.status === 'error') server.close(key);
          server.open(key);
        }
        await settle();
        expect(KEYS.map((key) => server.shows(key))).toEqual(KEYS.map((key) => server.version(key)));
        for (const key of KEYS) server.close(key);
        client.clear();
      }),
      { numRuns: 500 },
    );
  });
});
