import { describe, expect, it } from 'vitest';
import { at, logged } from './scripted.spec-kit.js';
import { WriteQueue } from './write-queue.js';

const queue = (messages = 3, characters = 1000) =>
  new WriteQueue({ messages, characters }, at(0), { merged: 0 });
const ids = (frames: readonly { id: string | undefined }[]) => frames.map(({ id }) => id);
describe('a write queue', () => {
  it('hands over what waits in order, and moves the position with it', () => {
    const live = queue();
    expect([live.enqueue(logged(1)), live.enqueue(logged(2))]).toEqual(['queued', 'queued']);
    expect(live.position).toEqual(at(0));
    expect(ids(live.take())).toEqual(['1', '2']);
    expect(live.position).toEqual(at(2));
    expect(live.isEmpty).toBe(true);
  });

  it('merges equal invalidations into the later one, and never critical messages', () => {
    const live = queue();
    live.enqueue(logged(1, { key: 'k' }));
    live.enqueue(logged(2));
    expect(live.enqueue(logged(3, { key: 'k' }))).toBe('merged');
    live.enqueue(logged(4, { key: 'k', delivery: 'critical' }));
    expect(ids(live.take())).toEqual(['2', '3', '4']);
  });

  it('is full at its capacity, by messages and by characters; one message may be larger than both', () => {
    const live = queue(2, 1000);
    live.enqueue(logged(1));
    live.enqueue(logged(2));
    expect(live.enqueue(logged(3))).toBe('full');
    expect(ids(live.take())).toEqual(['1', '2']);
    const large = { data: 'x'.repeat(2000) };
    expect(live.enqueue(logged(4, large))).toBe('queued');
    expect(live.enqueue(logged(5))).toBe('full');
    expect(live.enqueue(logged(6, { ...large, key: '4' }))).toBe('merged');
    expect(ids(live.take())).toEqual(['6']);
  });

  it('gives out no more in one piece than it is asked for, but always something', () => {
    const live = queue();
    for (const offset of [1, 2, 3]) live.enqueue(logged(offset));
    expect(ids(live.take(1))).toEqual(['1']);
    expect(live.position).toEqual(at(1));
    expect(ids(live.take(60))).toEqual(['2', '3']);
  });

  it('hands over a control message first, under the position that the stream has', () => {
    const live = queue();
    live.enqueue(logged(1));
    live.take();
    live.enqueue(logged(2));
    live.enqueueControl({ type: 'Reconnect', message: { delay_ms: 1 } });
    expect(ids(live.take())).toEqual(['1', '2']);
  });
});
