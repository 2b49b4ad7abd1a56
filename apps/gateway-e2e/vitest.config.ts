import { mergeConfig, type ViteUserConfig } from 'vitest/config';
import base, { twoAtOnce } from '../../vitest.base.ts';

export const suites: ViteUserConfig = mergeConfig(base, {
  test: {
    globalSetup: ['@crossfade/test-hosts/first-start', 'src/postgres.setup.ts'],
    // For what hangs: a bound that is stated is asserted.
    testTimeout: 300_000,
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
];

export default twoAtOnce(suites, { alone, longest: 'bench' });
