import { PostgresHost } from '@crossfade/test-hosts';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresPort: number;
  }
}

/** One PostgreSQL for the run, in which each gateway gets its own database. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const host = await PostgresHost.start();
  project.provide('postgresPort', host.port);
  return () => host.stop();
}
