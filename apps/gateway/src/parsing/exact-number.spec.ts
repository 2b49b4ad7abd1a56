import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseExactly } from './exact-number.js';

const written = (text: string): string => JSON.stringify(parseExactly(text));

describe('JSON that is read exactly', () => {
  it('is what JSON.parse reads, where JavaScript has the numbers', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(parseExactly(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('is written as it came: integers of any length, and fractions, wherever they stand', () => {
    const digits = (most: number) =>
      fc
        .array(fc.nat(9), { minLength: 1, maxLength: most })
        .map((all) => all.join('').replace(/^0+(?=\d)/, ''));
    const number = fc
      .tuple(fc.constantFrom('', '-'), digits(60), fc.option(digits(30)))
      .map(([sign, whole, fraction]) => sign + whole + (fraction === null ? '' : `.${fraction}1`))
      // JavaScript has no text for minus zero.
      .filter((text) => text !== '-0');
    const place = fc.constantFrom('{"a":#}', '[#]', '[0,#]', '{"a":[{"b":#}],"c":"#"}', '["#",#]');
    fc.assert(
      fc.property(number, place, (text, where) => {
        // Short ones that JavaScript writes otherwise, such as 0.0000001, are the same number.
        fc.pre(text.length >= 16 || String(Number(text)) === text);
        const whole = where.replaceAll('#', text);
        expect(written(whole)).toBe(whole);
      }),
    );
  });

  it.each([
    ['{"a":9007199254740993}', '{"a":9007199254740993}'],
    ['{"a": 9007199254740993}', '{"a":9007199254740993}'],
    ['[\n-9223372036854775808\n]', '[-9223372036854775808]'],
    ['[0.1234567890123456789]', '[0.1234567890123456789]'],
    ['[1717171717171717]', '[1717171717171717]'],
    ['[1.0]', '[1]'],
    // A few characters would become as many digits as anybody likes.
    ['[1e400]', '[null]'],
    ['[1234567890123456789e131000]', '[null]'],
    [`[1${'0'.repeat(98)}1]`, `[1${'0'.repeat(98)}1]`],
    [`[1${'0'.repeat(99)}1]`, '[1e+100]'],
    [`[${'9'.repeat(200_000)}]`, '[null]'],
    ['{"rawJSON":"1"}', '{"rawJSON":"1"}'],
    ['["9007199254740993"]', '["9007199254740993"]'],
  ])('%s leaves as %s', (text, leaves) => {
    expect(written(text)).toBe(leaves);
  });

  it('is no valid JSON where JSON.parse says so', () => {
    for (const text of [
      '[9007199254740993',
      '[09007199254740993]',
      '[9007199254740993.]',
      '[+9007199254740993]',
    ])
      expect(() => parseExactly(text)).toThrow(SyntaxError);
  });

  it('goes as deep as JSON.parse: then numbers are what JavaScript makes of them', () => {
    const deep = (levels: number) => `${'['.repeat(levels)}9007199254740993${']'.repeat(levels)}`;
    expect(written(deep(100))).toBe(deep(100));
    expect(Array.isArray(parseExactly(deep(90_000)))).toBe(true);
  });

  it('has no text, no list and no record in the place of a number', () => {
    const [number] = parseExactly('[9007199254740993]') as [unknown];
    for (const schema of [z.string(), z.number(), z.array(z.unknown()), z.record(z.string(), z.unknown())])
      expect(schema.safeParse(number).success).toBe(false);
    expect(Object.keys(number as object)).toEqual([]);
  });
});
