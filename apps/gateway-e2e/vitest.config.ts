import { mergeConfig, type ViteUserConfig } from 'vitest/config';
import base, { beginWith } from '../../vitest.base.ts';

export const suites: ViteUserConfig = mergeConfig(base, {
  test: {
    globalSetup: ['@crossfade/test-hosts/first-start', 'src/postgres.setup.ts'],
  },
});

/** What they measure must not be another suite's load; and `npm start` builds what the others run. */
const alone = [
  'drain',
  'load',
  'npm-start',
  'other-clients',
  'rights',
  'vanished',
  ...[
    'accounts',
    'bodies',
    'clock',
    'connections',
    'database',
    'inbound-websocket',
    'last-defence',
    'membership',
    'neighbour-load',
    'passwords',
    'raw-bytes',
    'text',
    'unconfirmed',
    'upgrades',
    'watchdog',
  ].map((name) => `attacks/${name}`),
].map((name) => `src/${name}.spec.ts`);

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
    sequence: { sequencer: beginWith('bench.spec.ts') },
    projects: [
      project({ name: 'two at once', exclude: alone, maxWorkers: 2, sequence: { groupOrder: 0 } }),
      project({ name: 'one at a time', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } }),
    ],
  },
};

export default config;
