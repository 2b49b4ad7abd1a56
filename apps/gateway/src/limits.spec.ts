import { readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSettings } from './process/settings.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** One row of `docs/operations/limits.md`: what is bounded, its value, and where that is said. */
interface Row {
  readonly what: string;
  readonly value: number;
  /** A setting's name, or `file.ts` `CONSTANT`. */
  readonly said: readonly string[];
  readonly seen: string;
}

const rows: readonly Row[] = read('docs/operations/limits.md')
  .split('\n')
  .filter((line) => /^\|.*`/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, what = '', value = '', said = '', seen = '']) => ({
    what,
    value: Number(value.replaceAll(',', '').split(' ', 1)[0]),
    said: [...said.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    seen,
  }));
const settings = readSettings({});
/** What they say is no bound on anybody: addresses, switches, secrets. */
const NO_LIMITS = [
  'PORT',
  'METRICS_PORT',
  'LOG_LEVEL',
  'TRUST_PROXY',
  'PUSH_KEEP_ALIVE_SECONDS',
  'PUSH_REAUTHORIZE_SECONDS',
  'PUSH_HEARTBEAT_SECONDS',
  'PUSH_DRAIN_SECONDS',
  'SHUTDOWN_TIMEOUT_SECONDS',
];

/** The value of `const NAME = …`, or of a property of that name, where it is a number or a product of numbers. */
function constantIn(file: string, name: string): number | undefined {
  const [, text] =
    new RegExp(`\\b${name}(?:: number)?\\s*[=:]\\s*(?:options\\.\\w+ \\?\\? )?([\\d_.* ]+)[;,\\s]`).exec(
      read(file),
    ) ?? [];
  return text
    ?.split('*')
    .map((factor) => Number(factor.replaceAll('_', '').trim()))
    .reduce((product, factor) => product * factor, 1);
}

describe('docs/operations/limits.md', () => {
  it('says what is true of each limit', () => {
    expect(rows.length).toBeGreaterThan(30);
    for (const { what, value, said, seen } of rows) {
      const [first = '', constant] = said;
      expect(seen, what).not.toBe('');
      if (constant === undefined)
        expect({ what, value: new Map(Object.entries(settings)).get(first) }).toEqual({ what, value });
      else expect({ what, value: constantIn(first, constant) }).toEqual({ what, value });
    }
  });

  it('lists every setting that bounds something', () => {
    const listed = new Set(rows.flatMap(({ said }) => said));
    const numbers = Object.entries(settings).flatMap(([name, value]) =>
      typeof value === 'number' ? [name] : [],
    );
    expect(numbers.filter((name) => !listed.has(name) && !NO_LIMITS.includes(name))).toEqual([]);
  });
});

describe('SECURITY.md', () => {
  it('names tests that are there', () => {
    const named = [...read('SECURITY.md').matchAll(/`([\w./-]+\.spec\.ts)`/g)].map(([, path = '']) => path);
    const missing = named.filter(
      (path) =>
        !['.', 'apps/gateway-e2e/src', 'apps/web-e2e/src'].some((folder) =>
          existsSync(join(root, folder, path)),
        ),
    );
    expect(named.length).toBeGreaterThan(20);
    expect(missing).toEqual([]);
  });
});
