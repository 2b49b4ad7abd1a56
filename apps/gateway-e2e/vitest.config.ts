import { mergeConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

export default mergeConfig(base, {
  test: {
    globalSetup: ['src/postgres.setup.ts'],
    // One gateway at a time: what is measured must not be another suite's load.
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 90_000,
  },
});
