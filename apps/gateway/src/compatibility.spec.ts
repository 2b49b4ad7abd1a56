import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Rows of the tables; the last cell is what holds the row. */
const rows = readFileSync(`${root}docs/compatibility.md`, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\| (?:what|-)/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

it('each row of docs/compatibility.md names a test that is there', () => {
  expect(rows.length).toBeGreaterThan(20);
  for (const row of rows) {
    const [, file = ''] = /^`([\w/.-]+\.spec\.ts)`$/.exec(row.at(-2) ?? '') ?? [];
    expect(existsSync(`${root}apps/gateway-e2e/src/${file}`) && file !== '', row.join(' | ')).toBe(true);
  }
});
