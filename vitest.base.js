import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';
/** What every suite shares: workspace libraries from source, and counts that `npm test` adds up. */
export default defineConfig({
  ssr: { resolve: { conditions: ['@crossfade/source', ...defaultServerConditions] } },
  test: {
    include: ['src/**/*.spec.ts'],
    environment: 'node',
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results.json' },
  },
});
//# sourceMappingURL=vitest.base.js.map
