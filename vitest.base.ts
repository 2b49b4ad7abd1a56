import { defaultServerConditions } from 'vite';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The settings of every suite: workspace libraries from source, and counts that `npm test` adds up. */
export default defineConfig({
  ssr: { resolve: { conditions: ['@crossfade/source', ...defaultServerConditions] } },
  test: {
    include: ['src/**/*.spec.ts'],
    environment: 'node',
    // A hang is found either way, and a test that is slow because the machine is slow has not failed.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results.json' },
  },
});

/**
 * Runs suites two at once, then the suites of `alone` one by one, since they need the whole machine. Suites are named
 * without `src/` and `.spec.ts`. `longest` starts first, so that nothing waits for it at the end.
 */
export function twoAtOnce(
  suites: ViteUserConfig,
  { alone, longest }: { readonly alone: readonly string[]; readonly longest: string },
): ViteUserConfig {
  const files = alone.map(fileOf);
  // A complete config: one merged with the root's would include every file. The root runs the global setup once.
  const project = (test: NonNullable<ViteUserConfig['test']>) => ({
    ...suites,
    extends: false as const,
    test: { ...suites.test, globalSetup: [], ...test },
  });
  return {
    ...suites,
    test: {
      ...suites.test,
      sequence: { sequencer: beginWith(fileOf(longest)) },
      projects: [
        project({ name: 'two at once', exclude: files, maxWorkers: 2, sequence: { groupOrder: 0 } }),
        project({ name: 'one at a time', include: files, maxWorkers: 1, sequence: { groupOrder: 1 } }),
      ],
    },
  };
}

const fileOf = (name: string): string => `src/${name}.spec.ts`;

function beginWith(file: string): typeof BaseSequencer {
  const isFirst = ({ moduleId }: TestSpecification) => Number(moduleId.endsWith(`/${file}`));
  return class extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      return (await super.sort(files)).sort((a, b) => isFirst(b) - isFirst(a));
    }
  };
}
