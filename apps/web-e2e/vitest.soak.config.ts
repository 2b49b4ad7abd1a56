import { mergeConfig, type ViteUserConfig } from 'vitest/config';
import { suites } from './vitest.config.ts';

/** `npm run soak`: the load in full, where `npm test` has a short one. */
const soak: ViteUserConfig = mergeConfig(suites, {
  test: {
    outputFile: { json: 'soak-results.json' },
    env: { LOAD_EVENTS: process.env['LOAD_EVENTS'] ?? '4000' },
  },
});
// Not merged: this only.
soak.test = { ...soak.test, include: ['src/load.spec.ts'] };

export default soak;
