import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryNumber, FIRST, isBefore, offsetOf } from './entry-id.js';
import { Epochs } from './epochs.js';

const part = fc.bigInt(0n, 2n ** 63n - 1n);
const entryId = fc.tuple(part, part).map(([milliseconds, number]) => `${milliseconds}-${number}`);

describe('entry ids', () => {
  it('are in the order of their numbers', () => {
    fc.assert(
      fc.property(part, part, part, part, (a, b, c, d) => {
        expect(isBefore(`${a}-${b}`, `${c}-${d}`)).toBe(a < c || (a === c && b < d));
      }),
    );
  });

  it.each(['', '-', '1', '1-', '-1', '1-2-3', ' 1-2', '1-x', `${'9'.repeat(20)}-0`])('are not %j', (text) => {
    expect(entryNumber(text)).toBeUndefined();
  });
});

describe('offsets', () => {
  it('grow from one epoch to the next, whatever its ids are', () => {
    fc.assert(
      fc.property(entryId, entryId, (earlier, later) => {
        expect(offsetOf(1, earlier)).toBeLessThan(offsetOf(2, later));
      }),
    );
  });

  it('are found again by their cursors, from where this process reads the epoch', () => {
    fc.assert(
      fc.property(entryId, entryId, entryId, (one, other, beginning) => {
        const epochs = new Epochs();
        epochs.begin('AAAAAAAA', one);
        const first = epochs.at(one);
        expect(epochs.locate(first.cursor)).toBe(first.offset);
        epochs.begin('BBBBBBBB', beginning);
        const second = epochs.at(other);
        expect(epochs.locate(second.cursor)).toBe(isBefore(other, beginning) ? 'lost' : second.offset);
        const earlier = epochs.earlier(one);
        expect(epochs.locate(earlier.cursor)).toBe(earlier.offset);
        expect(earlier.offset).toBeLessThan(first.offset);
      }),
    );
  });

  it('of epochs that are over or unknown are lost', () => {
    const epochs = new Epochs();
    epochs.begin('AAAAAAAA', FIRST);
    const { cursor } = epochs.at('1-0');
    epochs.begin('BBBBBBBB', FIRST);
    expect([epochs.locate(cursor), epochs.locate('ZZZZZZZZ.1-0')]).toEqual(['lost', 'lost']);
  });
});
