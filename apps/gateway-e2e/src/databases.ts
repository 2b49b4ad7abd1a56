import { randomUUID } from 'node:crypto';
import { GatewayHost, newDatabase, TwoReplicas, type GatewayOptions } from '@crossfade/test-hosts';
// What `inject` gives.
import type {} from '@crossfade/test-hosts/servers';
import { afterAll, beforeAll, describe, inject } from 'vitest';

type Database = 'PGlite' | 'PostgreSQL';
type Suite = (gateway: () => GatewayHost, database: Database) => void;
/** One gateway, or two that are reached at one address. */
type Installation = Pick<GatewayHost, 'url' | 'output'>;

/** Runs a suite against its own gateway, on the embedded database and on a real PostgreSQL. */
export function onEachDatabase(title: string, env: GatewayOptions['env'], suite: Suite): void {
  for (const database of ['PGlite', 'PostgreSQL'] as const) onDatabase(database, title, env, suite);
}

/** The same on PostgreSQL only, for what does not depend on the database: its gateway starts sooner. */
export function onPostgres(title: string, env: GatewayOptions['env'], suite: Suite): void {
  onDatabase('PostgreSQL', title, env, suite);
}

/**
 * Runs a suite against a gateway on the embedded database, and against two replicas, on PostgreSQL and Redis: streams open
 * on one of them, and all else happens on the other.
 */
export function onEachInstallation(
  title: string,
  env: GatewayOptions['env'],
  suite: (gateway: () => Installation) => void,
): void {
  onDatabase('PGlite', title, env, suite);
  onReplicas(title, env, suite);
}

function onReplicas(
  title: string,
  env: GatewayOptions['env'],
  suite: (gateway: () => Installation) => void,
): void {
  runOn(
    `${title} [two replicas]`,
    () =>
      TwoReplicas.start({
        databaseUrl: newDatabase(inject('postgresPort')),
        redisUrl: inject('redisUrl'),
        prefix: `crossfade-${randomUUID()}`,
        env: env ?? {},
      }),
    suite,
  );
}

function onDatabase(database: Database, title: string, env: GatewayOptions['env'], suite: Suite): void {
  runOn(
    `${title} [${database}]`,
    () => {
      const databaseUrl = database === 'PostgreSQL' ? newDatabase(inject('postgresPort')) : undefined;
      return GatewayHost.start({ databaseUrl, env: env ?? {} });
    },
    (gateway) => suite(gateway, database),
  );
}

function runOn<Host extends Installation & { stop(): Promise<unknown> }>(
  title: string,
  start: () => Promise<Host>,
  suite: (host: () => Host) => void,
): void {
  describe(title, () => {
    let host: Host | undefined;
    beforeAll(async () => {
      host = await start();
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
