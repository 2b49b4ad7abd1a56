import { expect, it } from 'vitest';
import { decisions, exportsOf, faultsOf } from './decided.mjs';
import { readPage } from './pages.mjs';

const page = (...rows) =>
  ['## Where it is decided', '', '| question | file | exports |', '| - | - | - |', ...rows, ''].join('\n');
const faultsIn = (row) => decisions(page(row)).flatMap(faultsOf);

it('docs/architecture.md names files that exist, and what they export', () => {
  const rows = decisions(readPage('docs/architecture.md'));
  expect(rows.length).toBeGreaterThanOrEqual(15);
  expect(rows.flatMap(faultsOf)).toEqual([]);
});

it.each([
  ['| Which? | `tools/workspace/pages.mjs` | `tableOf`, `codeIn` |', []],
  ['| Which? | `apps/web/src/components/Header.svelte` | |', []],
  ['| Which? | `tools/no-such.mjs` | `it` |', ['"Which?": tools/no-such.mjs does not exist']],
  [
    '| Which? | `tools/workspace/pages.mjs` | `tableOf`, `rowOf` |',
    ['"Which?": tools/workspace/pages.mjs does not export rowOf'],
  ],
  ['| Which? | `tools/workspace/pages.mjs` | |', ['"Which?" names no export of tools/workspace/pages.mjs']],
  ['| Which? | somewhere | `it` |', ['"Which?" names no file']],
])('reads the row %s', (row, faults) => {
  expect(faultsIn(row)).toEqual(faults);
});

it('fails without the section', () => {
  expect(() => decisions('## The words\n')).toThrow('no section "## Where it is decided"');
});

it.each([
  ['export const a = 1, [b, { c: d }] = e;', ['a', 'b', 'd']],
  ['export function f() {}\nexport async function g() {}', ['f', 'g']],
  ['export abstract class A {}\n@Injectable()\nexport class B {}', ['A', 'B']],
  ['export interface I {}\nexport type T = I;\nexport enum E {}', ['I', 'T', 'E']],
  [
    "export { a, b as c, type D } from './other.js';\nexport * as all from './all.js';",
    ['a', 'c', 'D', 'all'],
  ],
  ['export default function f() {}', ['default']],
  ['const a = 1;\nexport default a;', ['default']],
  ['const a = 1;\n// export const b = 1;\nfunction c() { return "export const d"; }', []],
])('finds the exports of %j', (text, names) => {
  expect([...exportsOf(text)]).toEqual(names);
});
