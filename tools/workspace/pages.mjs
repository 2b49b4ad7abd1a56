import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export const readPage = (path) => readFileSync(`${root}/${path}`, 'utf8');

/** The paths of the files under version control, relative to the root. */
export const trackedFiles = () =>
  execFileSync('git', ['ls-files', '-z', '--deduplicate'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((path) => path !== '');

/** The rows of a section's table, each as its cells. @throws if the page has no such section or table. */
export function tableOf(page, heading) {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`There is no section "## ${heading}".`);
  const [, separator, ...rows] = section.split('\n').filter((line) => line.startsWith('|'));
  if (!/^\|[ :|-]+\|$/.test(separator ?? '')) throw new Error(`The section "## ${heading}" has no table.`);
  return rows.map((row) =>
    row
      .slice(1, row.lastIndexOf('|'))
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

/** The names that a cell has in backticks. */
export const codeIn = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code);
