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
    // What was wrong is in the message of a failure, which is all that the end of a log shows.
    chaiConfig: { truncateThreshold: 1000 },
    reporters: ['default', 'json'],
    outputFile: { json: 'test-results.json' },
  },
});

interface Order {
  /** How many suites run at once. */
  readonly atOnce: number;
  /** Suites that run one by one, at the end, since they need the whole machine. */
  readonly alone: readonly string[];
  /** These start first, so that nothing waits for them at the end. */
  readonly longest: readonly string[];
}

/** Runs several suites at once. They are named without `src/` and `.spec.ts`. */
export function severalAtOnce(suites: ViteUserConfig, { atOnce, alone, longest }: Order): ViteUserConfig {
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
      sequence: { sequencer: beginWith(longest) },
      projects: [
        project({ name: 'at once', exclude: files, maxWorkers: atOnce, sequence: { groupOrder: 0 } }),
        project({ name: 'one at a time', include: files, maxWorkers: 1, sequence: { groupOrder: 1 } }),
      ],
    },
  };
}

const fileOf = (name: string): string => `src/${name}.spec.ts`;

/** Starts these suites first, in this order. */
export function beginWith(suites: readonly string[]): typeof BaseSequencer {
  const files = suites.map((name) => `/${fileOf(name)}`);
  const place = ({ moduleId }: TestSpecification) => {
    const index = files.findIndex((file) => moduleId.endsWith(file));
    return index === -1 ? files.length : index;
  };
  return class extends BaseSequencer {
    override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
      return (await super.sort(specifications)).sort((a, b) => place(a) - place(b));
    }
  };
}
