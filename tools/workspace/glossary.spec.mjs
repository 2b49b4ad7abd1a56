import { expect, it } from 'vitest';
import { retiredWords, usesOf } from './glossary.mjs';
import { readPage, trackedFiles } from './pages.mjs';

const GLOSSARY = 'docs/architecture.md';
/** Reads the glossary's words, and so writes them. */
const THIS = 'tools/workspace/glossary.spec.mjs';

const page = (...rows) =>
  [
    '# A page',
    '',
    '## The words',
    '',
    '| word | meaning | instead of |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
const words = retiredWords(
  page(
    '| keep-alive | what a quiet stream gets | `sign of life` |',
    '| offset | where a record is | `place` (libs/push, `apps/*/src`), `Ort` |',
    '| drain | moves streams | |',
  ),
);

it('reads the retired words, what to use instead, and where', () => {
  expect(words).toEqual([
    { word: 'sign of life', use: 'keep-alive', folders: [] },
    { word: 'place', use: 'offset', folders: ['libs/push', 'apps/*/src'] },
    { word: 'Ort', use: 'offset', folders: [] },
  ]);
});

it.each([
  'sign of life at the begin of a line',
  '// A sign of life.',
  '/** Each Sign-of-Life, in any case. */',
  'const signOfLife = 15_000;',
  'class SignOfLifeTimer {}',
  'SIGN_OF_LIFE_MS',
  '.sign-of-life {',
  'writeHTTPSignOfLife()',
  'signOfLife2',
])('finds a retired word in %j', (line) => {
  expect(usesOf(words, 'docs/page.md', `A line.\n${line}\n`)).toEqual([
    'docs/page.md:2: "sign of life" is retired: use "keep-alive"',
  ]);
});

it('finds a retired phrase that goes on in the next line, at the line where it begins', () => {
  const text = '/**\n * Each stream gets a sign\n *\n * of life.\n */';
  expect(usesOf(words, 'libs/push/a.ts', text)).toEqual([
    'libs/push/a.ts:2: "sign of life" is retired: use "keep-alive"',
  ]);
});

it.each([
  'resign of life',
  'a sign of lifetime',
  'the design of life',
  'a sign of real life',
  'designOfLife',
])('finds nothing in %j', (line) => {
  expect(usesOf(words, 'docs/page.md', line)).toEqual([]);
});

it.each([
  ['libs/push/src/log.ts', 1],
  ['libs/push/README.md', 1],
  ['apps/web/src/a/b.svelte', 1],
  ['libs/pushed/src/log.ts', 0],
  ['apps/web/README.md', 0],
  ['docs/page.md', 0],
])('looks for a word only where it is retired: %s', (path, count) => {
  expect(usesOf(words, path, 'their place')).toHaveLength(count);
});

it('does not find a word inside another, and reports a line once', () => {
  expect(usesOf(words, 'libs/push/a.ts', 'replaced, displace, places')).toEqual([]);
  expect(usesOf(words, 'libs/push/a.ts', 'place place')).toHaveLength(1);
});

it('fails without a glossary', () => {
  expect(() => retiredWords('# A page\n')).toThrow('no section "## The words"');
  expect(() => retiredWords('## The words\n\nNone.\n')).toThrow('has no table');
});

it('no file uses a word that the glossary retires', () => {
  const retired = retiredWords(readPage(GLOSSARY));
  expect(retired.length).toBeGreaterThan(0);
  const texts = trackedFiles().filter(
    (path) =>
      /\.(ts|js|mjs|svelte|html|md)$/.test(path) &&
      !/(^|\/)LICENSE/.test(path) &&
      ![GLOSSARY, THIS].includes(path),
  );
  expect(texts.flatMap((path) => usesOf(retired, path, readPage(path)))).toEqual([]);
});
