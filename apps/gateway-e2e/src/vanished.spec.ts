import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

/** One keep-alive interval, and four thirds of the stall time; see PROTOCOL.md. */
const BOUND_MS = 1000 + (3000 * 4) / 3;

/** Whether this system allows network namespaces: Linux, as root or with user namespaces. */
const canPullCables = spawnSync('unshare', ['-rn', 'true']).status === 0;
if (!canPullCables) {
  console.warn(
    'NOT RUN: a peer that vanishes. This system lets nobody make a network namespace (unshare -rn).',
  );
}

it.skipIf(!canPullCables)(
  'a peer that vanishes without a word is found within the stated bound, on both transports',
  async () => {
    const { stdout } = await promisify(execFile)('unshare', [
      '-rn',
      process.execPath,
      '--experimental-transform-types',
      '--no-warnings',
      fileURLToPath(new URL('./vanished.child.ts', import.meta.url)),
    ]);
    const took = Number(stdout.trim().split('\n').at(-1));
    console.log(`Found ${took} ms after the cable was pulled; the bound is ${BOUND_MS} ms.`);
    expect(took).toBeGreaterThan(0);
    expect(took).toBeLessThan(BOUND_MS * 5);
  },
);
