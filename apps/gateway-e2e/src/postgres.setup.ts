import { PostgresHost } from '@crossfade/test-hosts';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresPort: number;
  }
}

/** One PostgreSQL for the run; each gateway gets a database of its own in it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const host = await PostgresHost.start();
  project.provide('postgresPort', host.port);
  return () => host.stop();
}
