import { mergeConfig, type ViteUserConfig } from 'vitest/config';
import base, { severalAtOnce } from '../../vitest.base.ts';

export const suites: ViteUserConfig = mergeConfig(base, {
  test: {
    globalSetup: ['@crossfade/test-hosts/first-start', '@crossfade/test-hosts/servers'],
    // For what hangs: a bound that is stated is asserted.
    testTimeout: 900_000,
  },
});

/**
 * Another suite's load would change what they measure; and `npm start` builds what the others run. The others measure
 * processor time, or differences within a moment, or have bounds that hold while the machine is several times overloaded.
 */
const alone = [
  'drain',
  'npm-start',
  'attacks/inbound-websocket',
  'attacks/neighbour-load',
  'attacks/raw-bytes',
  'attacks/upgrades',
];

/** Longest first. */
const longest = ['bench', 'other-clients', 'load', 'startup', 'field/text', 'bad-input', 'restart', 'routes'];

export default severalAtOnce(suites, { atOnce: 3, alone, longest });
