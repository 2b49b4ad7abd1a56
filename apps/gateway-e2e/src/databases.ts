import { GatewayHost, newDatabase, type GatewayOptions } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, inject } from 'vitest';

/** Runs a suite against a gateway of its own, on the embedded database and on a real PostgreSQL. */
export function onEachDatabase(
  title: string,
  env: GatewayOptions['env'],
  suite: (gateway: () => GatewayHost) => void,
): void {
  for (const database of ['PGlite', 'PostgreSQL'] as const) {
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
      });
    });
  }
}
