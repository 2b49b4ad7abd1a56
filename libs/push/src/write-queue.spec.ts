import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WriteQueue, type Mergeable } from './write-queue.js';

interface Item extends Mergeable {
  readonly id: number;
}

describe('WriteQueue', () => {
  it('keeps a critical item whatever is equal around it', () => {
    const queue = new WriteQueue<Item>(4);
    queue.offer({ id: 1, key: undefined });
    queue.offer({ id: 2, key: undefined });
    expect(queue.take().map(({ id }) => id)).toEqual([1, 2]);
  });

  it('moves a merged item to the end, where its cursor belongs', () => {
    const queue = new WriteQueue<Item>(4);
    queue.offer({ id: 1, key: 'a' });
    queue.offer({ id: 2, key: 'b' });
    expect(queue.offer({ id: 3, key: 'a' })).toBe('merged');
    expect(queue.take().map(({ id }) => id)).toEqual([2, 3]);
  });

  it('still merges when it is full, and changes nothing when it refuses', () => {
    const queue = new WriteQueue<Item>(2);
    queue.offer({ id: 1, key: 'a' });
    queue.offer({ id: 2, key: undefined });
    expect(queue.offer({ id: 3, key: 'b' })).toBe('full');
    expect(queue.offer({ id: 4, key: 'a' })).toBe('merged');
    expect(queue.take().map(({ id }) => id)).toEqual([2, 4]);
  });

  it('behaves like a list from which each offer removes its equals', () => {
    const offer = fc.record({
      kind: fc.constant('offer'),
      key: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
    });
    const take = fc.record({ kind: fc.constant('take'), key: fc.constant(undefined) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.oneof({ weight: 4, arbitrary: offer }, take)),
        (capacity, history) => {
          const queue = new WriteQueue<Item>(capacity);
          let model: Item[] = [];
          for (const [id, { kind, key }] of history.entries()) {
            if (kind === 'take') {
              expect(queue.take()).toEqual(model);
              model = [];
              continue;
            }
            const kept = model.filter((item) => key === undefined || item.key !== key);
            const merges = kept.length < model.length;
            const full = !merges && model.length >= capacity;
            expect(queue.offer({ id, key })).toBe(full ? 'full' : merges ? 'merged' : 'queued');
            if (!full) model = [...kept, { id, key }];
            expect(queue.size).toBe(model.length);
            expect(queue.size).toBeLessThanOrEqual(capacity);
          }
          const rest = queue.take();
          expect(rest).toEqual(model);
          const ids = rest.map((item) => item.id);
          expect(ids).toEqual([...ids].sort((a, b) => a - b));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
