import { mergeConfig } from 'vitest/config';
import base from '../../vitest.base.ts';

export default mergeConfig(base, {
  test: { fileParallelism: false, testTimeout: 60_000, hookTimeout: 90_000 },
});
