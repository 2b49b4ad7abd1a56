import { describe, expect, it } from 'vitest';
import { at, logged } from './scripted.spec-kit.js';
import { WriteQueue, type Source } from './write-queue.js';
import type { LoggedFrame } from './frame.js';

const queue = (messages = 3, characters = 1000) => new WriteQueue({ messages, characters }, at(0), 'live');
const ids = (frames: readonly { id: string | undefined }[]) => frames.map(({ id }) => id);
const critical = (place: number) => logged(place, { delivery: 'critical' });
const all = () => true;

/** A window of these frames, of which everything up to `floor` was dropped. */
function source(frames: readonly LoggedFrame[], head: number, floor = 0, criticalFloor = 0): Source {
  return {
    head: at(head),
    covers: ({ place }, only) => place >= BigInt(only === undefined ? floor : criticalFloor),
    after: ({ place }, only) =>
      frames.filter(
        (frame) => frame.offset > place && (only === undefined || frame.record.delivery === 'critical'),
      ),
  };
}

describe('a live write queue', () => {
  it('hands over what waits in order, and moves the position with it', () => {
    const live = queue();
    expect([live.offer(logged(1)), live.offer(logged(2))]).toEqual(['queued', 'queued']);
    expect(live.position).toEqual(at(0));
    expect(ids(live.take())).toEqual(['1', '2']);
    expect(live.position).toEqual(at(2));
    expect(live.isEmpty).toBe(true);
  });

  it('merges equal invalidations into the later one, and never critical messages', () => {
    const live = queue();
    live.offer(logged(1, { key: 'k' }));
    live.offer(logged(2));
    expect(live.offer(logged(3, { key: 'k' }))).toBe('merged');
    live.offer(logged(4, { key: 'k', delivery: 'critical' }));
    expect(ids(live.take())).toEqual(['2', '3', '4']);
  });

  it('is full at its capacity, by messages and by characters; one message may be larger than both', () => {
    const live = queue(2, 1000);
    live.offer(logged(1));
    live.offer(logged(2));
    expect(live.offer(logged(3))).toBe('full');
    expect(ids(live.take())).toEqual(['1', '2']);
    const large = { message: 'x'.repeat(2000) };
    expect(live.offer(logged(4, large))).toBe('queued');
    expect(live.offer(logged(5))).toBe('full');
    expect(live.offer(logged(6, { ...large, key: '4' }))).toBe('merged');
    expect(ids(live.take())).toEqual(['6']);
  });

  it('gives out no more in one piece than it is asked for, but always something', () => {
    const live = queue();
    for (const place of [1, 2, 3]) live.offer(logged(place));
    expect(ids(live.take(1))).toEqual(['1']);
    expect(live.position).toEqual(at(1));
    expect(ids(live.take(60))).toEqual(['2', '3']);
  });

  it('says a control message first, under the position that the stream has', () => {
    const live = queue();
    live.offer(logged(1));
    live.take();
    live.offer(logged(2));
    live.say({ type: 'Reconnect', message: { delay_ms: 1 } });
    expect(ids(live.take())).toEqual(['1', '2']);
  });
});

describe('a write queue that fell behind', () => {
  it('keeps its position only, and reads on from there until it is live', () => {
    const behind = queue(2);
    behind.offer(logged(1));
    behind.take();
    behind.offer(logged(2));
    behind.offer(logged(3));
    expect(behind.offer(logged(4))).toBe('full');
    behind.fallBehind();
    expect([behind.isEmpty, behind.reading, behind.position]).toEqual([true, 'behind', at(1)]);
    expect(behind.offer(logged(5))).toBe('behind');
    const window = source(
      [1, 2, 3, 4, 5].map((place) => logged(place)),
      6,
    );
    expect(behind.readOn(window, all)).toBe('more');
    expect(ids(behind.take())).toEqual(['2', '3']);
    expect(behind.readOn(window, all)).toBe('live');
    expect(behind.reading).toBe('live');
    expect(ids(behind.take())).toEqual(['4', '5']);
    expect(behind.position).toEqual(at(6));
  });

  it('is not ahead of what it has handed over while what it read still waits', () => {
    const behind = queue(3);
    behind.fallBehind();
    behind.readOn(
      source(
        [1, 2, 3].map((place) => logged(place)),
        9,
      ),
      all,
    );
    expect(ids(behind.take(1))).toEqual(['1']);
    expect(behind.position).toEqual(at(1));
    expect(ids(behind.take())).toEqual(['2', '3']);
    expect(behind.position).toEqual(at(9));
  });

  it('merges as it reads, past what one piece could hold', () => {
    const behind = queue(2);
    behind.fallBehind();
    const frames = Array.from({ length: 20 }, (_, index) =>
      logged(index + 1, { key: index === 5 ? 'once' : 'k' }),
    );
    expect(behind.readOn(source(frames, 20), all)).toBe('live');
    expect(ids(behind.take())).toEqual(['6', '20']);
  });

  it('looks at a bounded number of records in one piece, and moves on past what is not wanted', () => {
    const behind = queue(2);
    behind.fallBehind();
    const frames = Array.from({ length: 50 }, (_, index) => logged(index + 1));
    const window = source(frames, 50);
    expect(behind.readOn(window, () => false)).toBe('more');
    expect(behind.take()).toEqual([]);
    expect(behind.position).toEqual(at(32));
    expect(behind.readOn(window, () => false)).toBe('live');
  });

  it('reads nothing that has not been handed over yet', () => {
    const behind = queue();
    behind.fallBehind();
    expect(behind.readOn(source([logged(1), logged(2)], 1), all)).toBe('live');
    expect(ids(behind.take())).toEqual(['1']);
    expect(behind.position).toEqual(at(1));
  });

  it('after a gap reads the critical messages, then marks the head that was noted, then reads everything', () => {
    const behind = queue(2);
    behind.fallBehind();
    const window = source([critical(1), logged(4), critical(5), critical(6), logged(7), logged(9)], 7, 3);
    expect(behind.readOn(window, all)).toBe('gap');
    behind.resync(at(0), at(7));
    behind.say({ type: 'Resync', message: { reason: 'lagging', delay_ms: 0, criticals: 'complete' } });
    expect(ids(behind.take())).toEqual(['0']);
    expect(behind.readOn(window, all)).toBe('more');
    expect(ids(behind.take())).toEqual(['1', '5']);
    // A stream that breaks here comes back with 5, and misses neither the rest nor the word that it has a gap.
    expect(behind.position).toEqual(at(5));
    expect(behind.readOn(window, all)).toBe('more');
    expect(behind.take().map(({ id, envelope }) => [id, envelope?.type])).toEqual([
      ['6', 'Changed'],
      ['7', undefined],
    ]);
    const later = source([logged(9)], 9, 3);
    expect(behind.readOn(later, all)).toBe('live');
    expect(ids(behind.take())).toEqual(['9']);
  });

  it('has a gap again when critical messages are dropped while it reads them', () => {
    const behind = queue();
    behind.resync(at(0), at(7));
    expect(behind.readOn(source([], 7, 7, 3), all)).toBe('gap');
  });
});
