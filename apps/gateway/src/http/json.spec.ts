import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseJson, TooManyValues } from './json.js';

const outcome = async (parse: () => unknown): Promise<string> => {
  try {
    return JSON.stringify(await parse());
  } catch (error) {
    return error instanceof SyntaxError ? 'SyntaxError' : String(error);
  }
};

const filler = JSON.stringify('],[}{",\\ \u2028 '.repeat(20_000));
const HOSTILE = [
  '[]',
  '{}',
  '"a\\"],["',
  '1,2',
  '',
  ',',
  ']',
  '[',
  '}',
  '{',
  '"',
  '\\',
  '1}{2',
  '],[',
  '{]',
  '[}',
  'nul',
  ' ',
];

it('reads what JSON.parse reads, and refuses what it refuses, however long the text is', async () => {
  const part = fc.oneof(
    fc.jsonValue().map((value) => JSON.stringify(value)),
    fc.constantFrom(...HOSTILE),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 4 }),
      fc.array(part, { maxLength: 4 }),
      fc.constantFrom(']', '', ' ] ', ']]', ']x', '}'),
      async (before, after, end) => {
        const text = ` [${[...before, filler, ...after].join(',')}${end}`;
        expect(await outcome(() => parseJson(text))).toBe(await outcome(() => JSON.parse(text)));
      },
    ),
    { numRuns: 300 },
  );
});

it('takes what is no array, and an empty one with much space', async () => {
  for (const text of [
    `{"a":${filler}}`,
    filler,
    `[${' '.repeat(600_000)}]`,
    `[${' '.repeat(600_000)},]`,
    `${'['.repeat(90_000)}${' '.repeat(200_000)}`,
    `[1,${' '.repeat(600_000)}]`,
  ])
    expect(await outcome(() => parseJson(text))).toBe(await outcome(() => JSON.parse(text)));
});

it('lets others run meanwhile', async () => {
  const text = JSON.stringify(
    Array.from({ length: 50_000 }, (_, index) => ({
      message: 'one of many',
      data: { index, more: ['x'.repeat(40)] },
    })),
  );
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const parsed = await parseJson(text);
  clearInterval(timer);
  expect(parsed).toHaveLength(50_000);
  expect(turns).toBeGreaterThan(1);
});

it('reads no part that is made of very many values', async () => {
  for (const text of [
    '['.repeat(2_500_000),
    `{"a":[${'[],'.repeat(1_000_000)}[]]}`,
    `[{"a":[${'1,'.repeat(500_000)}1]}]`,
  ])
    await expect(parseJson(text)).rejects.toThrow(TooManyValues);
  expect(await parseJson(`[${'[],'.repeat(1_000_000)}[]]`)).toHaveLength(1_000_001);
});
