import type { TestProject } from 'vitest/node';
import { PostgresHost } from './postgres.ts';
import { RedisHost } from './redis.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresPort: number;
    redisUrl: string;
  }
}

/**
 * A global setup: one PostgreSQL and one Redis for the run. Each installation has a database of its own, and a prefix that
 * begins with `crossfade`.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [postgres, redis] = await Promise.all([
    PostgresHost.start(),
    RedisHost.start({ prefix: 'crossfade*' }),
  ]);
  project.provide('postgresPort', postgres.port);
  project.provide('redisUrl', redis.url);
  return async () => {
    await Promise.all([postgres, redis].map((host) => host.stop()));
  };
}
