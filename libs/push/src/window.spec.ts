import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LogRecord } from './log.js';
import { Window } from './window.js';

const record = (cursor: string): LogRecord => ({
  cursor,
  type: 'T',
  message: {},
  audience: [],
  delivery: 'critical',
  key: cursor,
});

it('knows every record after a cursor that it still holds, and says so when it does not', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 20 }), (capacity, count) => {
      const window = new Window(capacity, 'c0');
      for (let index = 1; index <= count; index += 1) window.push(record(`c${index}`));
      expect(window.head).toBe(`c${count}`);
      for (let from = 0; from <= count; from += 1) {
        const expected =
          count - from <= capacity
            ? Array.from({ length: count - from }, (_, index) => `c${from + index + 1}`)
            : undefined;
        expect(window.since(`c${from}`)?.map(({ cursor }) => cursor)).toEqual(expected);
      }
      expect(window.since('of another log')).toBeUndefined();
    }),
  );
});
