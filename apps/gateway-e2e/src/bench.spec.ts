import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { OwnFolder } from '@crossfade/test-hosts';
import { expect, it } from 'vitest';

const bench = fileURLToPath(new URL('../../../tools/bench/', import.meta.url));

it('the benchmark measures what it says, on both databases', { timeout: 480_000 }, async () => {
  const folder = new OwnFolder('figures');
  const file = join(folder.path, 'figures.json');
  await promisify(execFile)(
    process.execPath,
    ['--experimental-transform-types', '--no-warnings', 'src/main.ts', '--json', file],
    {
      cwd: bench,
      env: {
        ...process.env,
        BENCH_SECONDS: '0.5',
        BENCH_ROUNDS: '1',
        BENCH_SAMPLES: '2',
        BENCH_BATCH: '2000',
        BENCH_STACKS: '1000',
        BENCH_STREAMS: '50',
        BENCH_MESSAGES: '500',
        BENCH_IDLE: '200',
        BENCH_REPLICAS: '0',
      },
    },
  );
  const figures = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, object>>;
  expect(Object.keys(figures)).toEqual(['databases', 'delivery', 'fan-out']);
  expect(Object.keys(figures['databases'] ?? {})).toEqual(['PGlite', 'PostgreSQL']);
  for (const measured of Object.values(figures['databases'] ?? {}))
    expect(Object.keys(measured)).toEqual(['ingest', 'largeBatches', 'screens', 'lists']);
  expect(Object.keys(figures['delivery'] ?? {})).toEqual(['slowReader', 'revocation']);
  expect(Object.keys(figures['fan-out'] ?? {})).toEqual(['fanOut', 'fewOfMany', 'idle']);
  const numbers = numbersIn(figures);
  expect(numbers.length).toBeGreaterThan(80);
  // A few streams for a second may cost less than the operating system can measure.
  expect(numbers.every((value) => Number.isFinite(value))).toBe(true);
  expect(numbers.filter((value) => value > 0).length).toBeGreaterThan(60);
  folder.giveBack();
});

const numbersIn = (value: unknown): number[] =>
  typeof value === 'number'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.values(value).flatMap(numbersIn)
      : [];
