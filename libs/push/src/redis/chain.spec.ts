import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findHole } from './chain.js';
import type { Entry } from './entry.js';

const idOf = (number: number): string => (number === 0 ? '0-0' : `${1000 + number}-0`);
/** Entries of a log, the first one being the `from`th. */
const chain = (from: number, to: number, epoch = 'A'): Entry[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => {
    const number = from + index;
    return { id: idOf(number), prev: idOf(number - 1), epoch, number, fields: {} };
  });
const at = (number: number, epoch = 'A') => ({ epoch, id: idOf(number) });
const stateOf = (number: number, epoch: string | undefined = 'A') => ({ epoch, last: idOf(number) });

describe('what a reader finds', () => {
  it('is no hole where it goes on reading, however the log is cut into reads', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { maxLength: 20 }), fc.nat(3), (sizes, ahead) => {
        let read = 0;
        for (const size of sizes) {
          const entries = chain(read + 1, read + size);
          expect(findHole(at(read), entries, stateOf(read + size + ahead))).toBeUndefined();
          read += size;
        }
      }),
    );
  });

  it('is a hole wherever an entry is missing', () => {
    const numbers = fc.record({ read: fc.nat(20), size: fc.integer({ min: 2, max: 9 }), missing: fc.nat(8) });
    fc.assert(
      fc.property(numbers, ({ read, size, missing }) => {
        const entries = chain(read + 1, read + size).filter((_, index) => index !== missing % (size - 1));
        const hole = findHole(at(read), entries, stateOf(read + size));
        expect(hole).toBe(missing % (size - 1) === 0 ? 'trimmed' : 'broken');
      }),
    );
  });

  it('is a hole if the log lost what was read, whatever was appended since', () => {
    const numbers = fc.record({ kept: fc.nat(9), lost: fc.integer({ min: 1, max: 9 }), more: fc.nat(5) });
    fc.assert(
      fc.property(numbers, ({ kept, lost, more }) => {
        const read = at(kept + lost);
        // Ids are times, so new ones come after those that are lost.
        const since = chain(kept + lost + 1, kept + lost + more).map((entry, index) =>
          index === 0 ? { ...entry, prev: idOf(kept) } : entry,
        );
        expect(findHole(read, since, more === 0 ? stateOf(kept) : stateOf(kept + lost + more))).toBe(
          'went_back',
        );
      }),
    );
  });

  it.each([
    ['no log any more', [], { epoch: undefined, last: '0-0' }, 'flushed'],
    ['another log, still empty', [], stateOf(0, 'B'), 'replaced'],
    ['another log with entries', chain(1, 2, 'B'), stateOf(2, 'B'), 'replaced'],
    [
      'another epoch in the middle of a read',
      [...chain(4, 5), ...chain(6, 6, 'B')],
      stateOf(6, 'B'),
      'replaced',
    ],
  ])('is a hole where there is %s', (_what, entries, state, kind) => {
    expect(findHole(at(3), entries, state)).toBe(kind);
  });
});
