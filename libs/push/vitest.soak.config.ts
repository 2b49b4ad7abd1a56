import type { ViteUserConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

/** `npm run soak`: what `npm test` does in a minute, for a quarter of an hour. */
const soak: ViteUserConfig = {
  ...base,
  test: {
    ...base.test,
    // Not merged: these only.
    include: [
      'src/nest/chaos.spec.ts',
      'src/streams.model.spec.ts',
      'src/redis/streams.model.spec.ts',
      'src/redis/effects.spec.ts',
    ],
    outputFile: { json: 'soak-results.json' },
    fileParallelism: false,
    env: {
      CHAOS_SECONDS: process.env['CHAOS_SECONDS'] ?? '900',
      MODEL_RUNS: process.env['MODEL_RUNS'] ?? '100000',
    },
  },
};

export default soak;
