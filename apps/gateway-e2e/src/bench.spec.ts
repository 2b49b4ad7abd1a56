import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { OwnFolder } from '@crossfade/test-hosts';
import { expect, it } from 'vitest';

const bench = fileURLToPath(new URL('../../../tools/bench/', import.meta.url));

it('the benchmark measures what it says, on both databases', { timeout: 240_000 }, async () => {
  const folder = new OwnFolder('figures');
  const file = join(folder.path, 'figures.json');
  await promisify(execFile)(
    process.execPath,
    ['--experimental-transform-types', '--no-warnings', 'src/main.ts', '--json', file],
    {
      cwd: bench,
      env: {
        ...process.env,
        BENCH_SECONDS: '1',
        BENCH_ROUNDS: '1',
        BENCH_SAMPLES: '2',
        BENCH_STACKS: '1000',
        BENCH_STREAMS: '50',
        BENCH_MESSAGES: '500',
      },
    },
  );
  const figures = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, object[]>>;
  expect(Object.keys(figures)).toEqual(['PGlite', 'PostgreSQL', 'delivery']);
  for (const [name, measured] of Object.entries(figures)) {
    const expected = name === 'delivery' ? ['slowReader', 'revocation'] : ['ingest', 'screens', 'lists'];
    expect(Object.keys(measured)).toEqual(expected);
    const numbers = Object.values(measured)
      .flat()
      .flatMap((row) => Object.values(row) as unknown[])
      .filter((value) => typeof value !== 'string');
    expect(numbers.length).toBeGreaterThan(name === 'delivery' ? 10 : 20);
    expect(numbers.every((value) => typeof value === 'number' && value > 0)).toBe(true);
  }
  folder.giveBack();
});
