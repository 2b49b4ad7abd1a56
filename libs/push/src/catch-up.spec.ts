import { describe, expect, it } from 'vitest';
import { LIVE, fallBehind, readCriticals, readOn, type History, type Reading } from './catch-up.js';
import type { LoggedFrame } from './frame.js';
import { at, envelopeOf, logged } from './scripted.spec-kit.js';
import { WriteQueue } from './write-queue.js';

const ids = (frames: readonly { id: string | undefined }[]) => frames.map(({ id }) => id);
const critical = (offset: number) => logged(offset, { delivery: 'critical' });
const all = () => true;

/** A window of these frames, of which everything up to `floor` was dropped. */
function source(frames: readonly LoggedFrame[], head: number, floor = 0, criticalFloor = 0): History {
  return {
    head: at(head),
    window: {
      covers: (offset) => offset >= BigInt(floor),
      coversCriticals: (offset) => offset >= BigInt(criticalFloor),
      hasAllCriticals: (offset) => offset >= BigInt(criticalFloor),
      criticalFloor: () => at(criticalFloor),
      *after(offset, _audiences, only) {
        yield* frames.filter(
          (frame) => frame.offset > offset && (only === undefined || frame.record.delivery === 'critical'),
        );
      },
    },
  };
}

/** A queue and how it is read into, as a connection holds them. */
function stream(messages = 3, characters = 1000) {
  const queue = new WriteQueue({ messages, characters }, at(0), { merged: 0 });
  return {
    queue,
    reading: LIVE as Reading,
    fallBehind() {
      this.reading = fallBehind(queue);
    },
    readCriticals(history: History) {
      this.reading = readCriticals(queue, history, []).reading;
    },
    readOn(history: History, wants: (frame: LoggedFrame) => boolean) {
      if (this.reading.name === 'live') throw new Error('it is live');
      const read = readOn(this.reading, queue, history, [], { wants });
      if (read === 'gap') return 'gap';
      this.reading = read;
      return read.name === 'live' ? 'live' : 'more';
    },
  };
}

describe('a stream that fell behind', () => {
  it('keeps its position only, and reads on from there until it is live', () => {
    const behind = stream(2);
    behind.queue.enqueue(logged(1));
    behind.queue.take();
    behind.queue.enqueue(logged(2));
    behind.queue.enqueue(logged(3));
    expect(behind.queue.enqueue(logged(4))).toBe('full');
    behind.fallBehind();
    expect([behind.queue.isEmpty, behind.reading.name, behind.queue.position]).toEqual([
      true,
      'behind',
      at(1),
    ]);
    const window = source(
      [1, 2, 3, 4, 5].map((offset) => logged(offset)),
      6,
    );
    expect(behind.readOn(window, all)).toBe('more');
    expect(ids(behind.queue.take())).toEqual(['2', '3']);
    expect(behind.readOn(window, all)).toBe('live');
    expect(behind.reading).toBe(LIVE);
    expect(ids(behind.queue.take())).toEqual(['4', '5']);
    expect(behind.queue.position).toEqual(at(6));
  });

  it('is not ahead of what it has handed over while what it read still waits', () => {
    const behind = stream(3);
    behind.fallBehind();
    behind.readOn(
      source(
        [1, 2, 3].map((offset) => logged(offset)),
        9,
      ),
      all,
    );
    expect(ids(behind.queue.take(1))).toEqual(['1']);
    expect(behind.queue.position).toEqual(at(1));
    expect(ids(behind.queue.take())).toEqual(['2', '3']);
    expect(behind.queue.position).toEqual(at(9));
  });

  it('merges as it reads, past what one piece could hold', () => {
    const behind = stream(2);
    behind.fallBehind();
    const frames = Array.from({ length: 20 }, (_, index) =>
      logged(index + 1, { key: index === 5 ? 'once' : 'k' }),
    );
    expect(behind.readOn(source(frames, 20), all)).toBe('live');
    expect(ids(behind.queue.take())).toEqual(['6', '20']);
  });

  it('looks at a bounded number of records in one piece, and moves on past what is not wanted', () => {
    const behind = stream(2);
    behind.fallBehind();
    const frames = Array.from({ length: 50 }, (_, index) => logged(index + 1));
    const window = source(frames, 50);
    expect(behind.readOn(window, () => false)).toBe('more');
    expect(behind.queue.take()).toEqual([]);
    expect(behind.queue.position).toEqual(at(32));
    expect(behind.readOn(window, () => false)).toBe('live');
  });

  it('reads nothing that has not been handed over yet', () => {
    const behind = stream();
    behind.fallBehind();
    expect(behind.readOn(source([logged(1), logged(2)], 1), all)).toBe('live');
    expect(ids(behind.queue.take())).toEqual(['1']);
    expect(behind.queue.position).toEqual(at(1));
  });

  it('after a gap reads the critical messages, then tells of the head that was noted, then reads everything', () => {
    const behind = stream(2);
    behind.fallBehind();
    const window = source([critical(1), logged(4), critical(5), critical(6), logged(7), logged(9)], 7, 3);
    expect(behind.readOn(window, all)).toBe('gap');
    behind.readCriticals(window);
    behind.queue.enqueueControl({
      type: 'Resync',
      message: { reason: 'lagging', delay_ms: 0, criticals: 'complete' },
    });
    expect(ids(behind.queue.take())).toEqual(['0']);
    expect(behind.readOn(window, all)).toBe('more');
    expect(ids(behind.queue.take())).toEqual(['1', '5']);
    // A stream that breaks here comes back with 5, and misses neither the rest nor that it has a gap.
    expect(behind.queue.position).toEqual(at(5));
    expect(behind.readOn(window, all)).toBe('more');
    expect(behind.queue.take().map((frame) => [frame.id, envelopeOf(frame)?.type])).toEqual([
      ['6', 'Changed'],
      ['7', undefined],
    ]);
    const later = source([logged(9)], 9, 3);
    expect(behind.readOn(later, all)).toBe('live');
    expect(ids(behind.queue.take())).toEqual(['9']);
  });

  it('has a gap again when critical messages are dropped while it reads them', () => {
    const behind = stream();
    behind.readCriticals(source([], 7));
    expect(behind.readOn(source([], 7, 7, 3), all)).toBe('gap');
  });
});
