import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryNumber, isBefore, offsetOf } from './entry-id.js';
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

  it('are found again by their cursors', () => {
    fc.assert(
      fc.property(entryId, entryId, (one, other) => {
        const epochs = new Epochs();
        epochs.begin('AAAAAAAA');
        const first = epochs.at(one);
        epochs.begin('BBBBBBBB');
        for (const position of [first, epochs.at(other), epochs.earlier(one)]) {
          expect(epochs.locate(position.cursor)).toBe(position.offset);
        }
        expect(epochs.earlier(one).offset).toBeLessThan(first.offset);
      }),
    );
  });

  it('of epochs that are forgotten or unknown are lost', () => {
    const epochs = new Epochs();
    epochs.begin('AAAAAAAA');
    const { cursor } = epochs.at('1-0');
    const earlier = epochs.earlier('1-0');
    for (let index = 0; index < 20; index += 1) epochs.begin(String(index).padStart(8, '0'));
    expect([epochs.locate(cursor), epochs.locate('ZZZZZZZZ.1-0')]).toEqual(['lost', 'lost']);
    expect(epochs.locate(earlier.cursor)).toBe(earlier.offset);
    expect(epochs.locate(epochs.at('7-0').cursor)).toBe(epochs.at('7-0').offset);
  });
});
