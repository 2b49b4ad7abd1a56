import { availableParallelism } from 'node:os';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';
import base, { beginWith } from '../../vitest.base.ts';

const suites: ViteUserConfig = mergeConfig(base, {
  test: {
    // Many of them wait, for a timer or for Redis: two run well on two cores, where Vitest would run one.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: beginWith(['nest/chaos', 'nest/push.module', 'streams.model', 'redis/failover']) },
  },
});

export default suites;
