import { GatewayHost, newDatabase, type GatewayOptions } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, inject } from 'vitest';

type Database = 'PGlite' | 'PostgreSQL';
type Suite = (gateway: () => GatewayHost, database: Database) => void;

/** Runs a suite against its own gateway, on the embedded database and on a real PostgreSQL. */
export function onEachDatabase(title: string, env: GatewayOptions['env'], suite: Suite): void {
  for (const database of ['PGlite', 'PostgreSQL'] as const) onDatabase(database, title, env, suite);
}

/** The same on PostgreSQL only, for what does not depend on the database: its gateway starts sooner. */
export function onPostgres(title: string, env: GatewayOptions['env'], suite: Suite): void {
  onDatabase('PostgreSQL', title, env, suite);
}

function onDatabase(database: Database, title: string, env: GatewayOptions['env'], suite: Suite): void {
  describe(`${title} [${database}]`, () => {
    let host: GatewayHost | undefined;
    beforeAll(async () => {
      const databaseUrl = database === 'PostgreSQL' ? newDatabase(inject('postgresPort')) : undefined;
      host = await GatewayHost.start({ databaseUrl, env: env ?? {} });
    });
    afterAll(async () => {
      await host?.stop();
    });
    suite(() => {
      if (host === undefined) throw new Error('the gateway has not started');
      return host;
    }, database);
  });
}
