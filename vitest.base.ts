import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

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

/** Begins with the file that takes longest, so that nothing waits for it alone in the end. */
export function beginWith(file: string): typeof BaseSequencer {
  const isFirst = ({ moduleId }: TestSpecification) => Number(moduleId.endsWith(`/${file}`));
  return class extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      return (await super.sort(files)).sort((a, b) => isFirst(b) - isFirst(a));
    }
  };
}
