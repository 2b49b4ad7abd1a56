import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

/** What every suite shares: workspace libraries from source, and counts that `npm test` adds up. */
export default defineConfig({
  ssr: { resolve: { conditions: ['@crossfade/source', ...defaultServerConditions] } },
  test: {
    include: ['src/**/*.spec.ts'],
    environment: 'node',
    // What hangs is found out either way; what is slow, because the machine is, has done nothing wrong.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results.json' },
  },
});
