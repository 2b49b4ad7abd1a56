import { BrowserHost, GatewayHost, PostgresHost, browserNames, newDatabase } from '@crossfade/test-hosts';

/** A program that starts hosts and never stops them: `test-hosts.spec.ts` kills it. */
const postgres = await PostgresHost.start();
const gateways = await Promise.all([
  GatewayHost.start(),
  GatewayHost.start({ databaseUrl: newDatabase(postgres.port) }),
]);
const browsers = await Promise.all(browserNames.map((name) => BrowserHost.start(name)));
const hosts = [postgres, ...gateways];
process.stdout.write(
  `${JSON.stringify({
    pids: [...hosts, ...browsers].map(({ pid }) => pid),
    folders: hosts.map(({ folder }) => folder),
  })}\n`,
);
setInterval(() => undefined, 1000);
