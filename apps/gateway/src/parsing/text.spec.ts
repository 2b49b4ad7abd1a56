import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExactly } from './exact-number.js';
import { cleanJson, cleanText, cutText, isTooDeep, MAX_DEPTH } from './text.js';

/** Text as bytes of JSON may carry it: any code units, with much of what is special. */
const anyText = fc
  .array(fc.oneof(fc.constantFrom('\0', '\ud83d', '\ude00', '\ud83d\ude00', 'x', '\uffff'), fc.string()))
  .map((parts) => parts.join(''));

const nested = (open: string, close: string, levels: number): unknown =>
  JSON.parse(open.repeat(levels) + close.repeat(levels));

describe('a text that is cut', () => {
  it('fits, is the beginning of the text, and is what the database takes', () => {
    fc.assert(
      fc.property(anyText, fc.nat(40), (text, most) => {
        const cut = cutText(text, most);
        expect(cut.length).toBeLessThanOrEqual(most);
        expect(cleanText(text).startsWith(cut)).toBe(true);
        expect(cut.isWellFormed()).toBe(true);
        expect(cut).not.toContain('\0');
        // No more is left out than what does not fit.
        expect(cut.length).toBeGreaterThanOrEqual(Math.min(most - 1, text.length));
      }),
    );
  });

  it('is the same whether it was cleaned before or not, so that two routes find the same row', () => {
    fc.assert(
      fc.property(anyText, fc.nat(40), (text, most) => {
        expect(cutText(cleanText(text), most)).toBe(cutText(text, most));
      }),
    );
  });

  it.each([
    ['x\u{1f600}', 2, 'x'],
    ['x\u{1f600}', 3, 'x\u{1f600}'],
    ['x\ud83d', 2, 'x\uFFFD'],
    ['x\ud83dx', 2, 'x\uFFFD'],
    ['\ude00\ud83d', 1, '\uFFFD'],
    ['\u{1f600}', 1, ''],
    ['\u{1f600}', 0, ''],
    ['xx\0', 2, 'xx'],
    ['\0\0', 2, '\uFFFD\uFFFD'],
  ])('%j to %i characters is %j', (text, most, cut) => {
    expect(cutText(text, most)).toBe(cut);
  });
});

describe('a JSON value that is cleaned', () => {
  it('is as it was, where the database takes it', () => {
    const plain = fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' });
    fc.assert(
      fc.property(plain, (value) => {
        fc.pre(!JSON.stringify(value).includes('\\u0000'));
        // As text: minus zero is written as zero anyway.
        expect(JSON.stringify(cleanJson(value))).toBe(JSON.stringify(value));
      }),
    );
  });

  it('holds nothing that the database refuses, however deep and wherever it stands', () => {
    const hostile = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        anyText,
        fc.double(),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(anyText, tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(hostile, (value) => {
        expect(JSON.stringify(cleanJson(value)) ?? '').not.toMatch(/\\u0000|\\ud[89a-f]/i);
      }),
    );
  });

  it('has an end, and so has the work for it', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', 'null}'],
    ] as const) {
      for (const levels of [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 5000, 90_000]) {
        const value =
          open === '['
            ? nested('[', ']', levels)
            : JSON.parse(open.repeat(levels) + 'null' + '}'.repeat(levels));
        const kept = JSON.stringify(cleanJson(value));
        expect(kept.split(open).length - 1).toBe(Math.min(levels, MAX_DEPTH));
        expect(kept).toContain(close.slice(-1));
      }
    }
  });

  it('keeps names that mean something to JavaScript', () => {
    const text = '{"__proto__":{"a":1},"constructor":{"prototype":2},"toString":3,"":4}';
    expect(JSON.stringify(cleanJson(JSON.parse(text)))).toBe(text);
  });

  it('keeps the digits of large numbers', () => {
    const text = '{"a":[9007199254740993,{"b":-12345678901234567890.5}]}';
    expect(JSON.stringify(cleanJson(parseExactly(text)))).toBe(text);
  });
});

describe('whether a value is too deep', () => {
  it.each([
    [MAX_DEPTH, false],
    [MAX_DEPTH + 1, true],
    [90_000, true],
  ])('of %i levels: %s', (levels, is) => {
    expect(isTooDeep(nested('[', ']', levels))).toBe(is);
    expect(isTooDeep({ beside: 1, it: nested('[', ']', levels - 1) })).toBe(is);
  });

  it('counts no number that is kept by its digits', () => {
    expect(isTooDeep(parseExactly(`${'['.repeat(MAX_DEPTH)}9007199254740993${']'.repeat(MAX_DEPTH)}`))).toBe(
      false,
    );
  });
});
