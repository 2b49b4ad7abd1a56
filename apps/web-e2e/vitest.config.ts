import { mergeConfig, type ViteUserConfig } from 'vitest/config';
import base, { severalAtOnce } from '../../vitest.base.ts';

export const suites: ViteUserConfig = mergeConfig(base, {
  test: {
    // What a browser shows needs its time.
    expect: { poll: { timeout: 5000 } },
    globalSetup: ['@crossfade/test-hosts/first-start', '@crossfade/test-hosts/servers'],
    // For what hangs: a bound that is stated is asserted.
    testTimeout: 900_000,
  },
});

export default severalAtOnce(suites, {
  atOnce: 2,
  // What they measure must not be another suite's load.
  alone: ['everyday', 'load', 'main-job'],
  longest: ['accessible'],
});
