import { mergeConfig, type ViteUserConfig } from 'vitest/config';
import { suites } from './vitest.config.ts';

const full = (name: string, value: string): Record<string, string> => ({
  [name]: process.env[name] ?? value,
});

/** `npm run soak`: every attack, bad input, load and storm in full, where `npm test` has a short pass of each. */
const soak: ViteUserConfig = mergeConfig(suites, {
  test: {
    fileParallelism: false,
    outputFile: { json: 'soak-results.json' },
    env: {
      ...full('ACCOUNT_SECONDS', '900'),
      ...full('ATTACK_FULL', '1'),
      ...full('ATTACK_REQUESTS', '100000'),
      ...full('ATTACK_RESETS', '2000'),
      ...full('ATTACK_SECONDS', '10'),
      ...full('ATTACK_TIMINGS', '200'),
      ...full('LOAD_EVENTS', '4000'),
      ...full('FIELD_FULL', '1'),
      ...full('FIELD_STORM', '16000'),
    },
  },
});
// Not merged: these only.
soak.test = {
  ...soak.test,
  include: [
    'src/account.spec.ts',
    'src/attacks/*.spec.ts',
    'src/field/*.spec.ts',
    'src/bad-input.spec.ts',
    'src/load.spec.ts',
  ],
};

export default soak;
