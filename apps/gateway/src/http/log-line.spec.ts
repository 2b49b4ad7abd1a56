import fc from 'fast-check';
import { expect, it } from 'vitest';
import { boundLine } from './log-line.js';

const line = (value: object): string => `${JSON.stringify(value)}\n`;

it('leaves an ordinary line as it is', () => {
  const one = line({ level: 30, time: 1, msg: 'Listening' });
  expect(boundLine(one)).toBe(one);
});

it('keeps any line a line of JSON of at most 4 KiB, whose level and time are those that it had', () => {
  const value = fc.jsonValue({ maxDepth: 5 });
  const grown = fc.record({
    msg: fc.string({ maxLength: 20_000 }),
    more: fc.array(value, { maxLength: 200 }),
    filler: fc.integer({ min: 0, max: 9000 }),
  });
  fc.assert(
    fc.property(grown, ({ msg, more, filler }) => {
      const bounded = boundLine(line({ level: 50, time: 7, msg, more, filler: 'x'.repeat(filler) }));
      expect(bounded.length).toBeLessThanOrEqual(4096);
      expect(bounded.endsWith('\n')).toBe(true);
      expect(JSON.parse(bounded)).toMatchObject({ level: 50, time: 7 });
    }),
  );
});

it('cuts many long texts, deep ones and long names too', () => {
  const texts = Object.fromEntries(
    Array.from({ length: 50 }, (_, index) => [`${index}${'k'.repeat(500)}`, 'x'.repeat(5000)]),
  );
  const escaped = '\u0001'.repeat(9000);
  for (const value of [
    texts,
    { msg: escaped },
    { a: { b: { c: { d: 'x'.repeat(9000) } } } },
    { err: { stack: escaped } },
  ])
    expect(boundLine(line({ level: 50, time: 7, ...value })).length).toBeLessThanOrEqual(4096);
});
