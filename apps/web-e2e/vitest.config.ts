import { mergeConfig, type ViteUserConfig } from 'vitest/config';
import base, { beginWith } from '../../vitest.base.ts';

const suites: ViteUserConfig = mergeConfig(base, {
  test: {
    // What a browser shows needs its time.
    expect: { poll: { timeout: 5000 } },
    globalSetup: ['@crossfade/test-hosts/first-start'],
  },
});

/** What they measure must not be another suite's load. */
const alone = ['everyday', 'load', 'main-job'].map((name) => `src/${name}.spec.ts`);

/** Whole, since what is merged with the root's would include every file. */
const project = (test: NonNullable<ViteUserConfig['test']>) => ({
  ...suites,
  extends: false as const,
  test: { ...suites.test, ...test },
});

const config: ViteUserConfig = {
  ...suites,
  test: {
    ...suites.test,
    sequence: { sequencer: beginWith('disabled.spec.ts') },
    projects: [
      project({ name: 'two at once', exclude: alone, maxWorkers: 2, sequence: { groupOrder: 0 } }),
      project({ name: 'one at a time', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } }),
    ],
  },
};

export default config;
