import { fileURLToPath } from 'node:url';
import { SseProbe, WsProbe, eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, newDatabase, runSql, startSql } from '@crossfade/test-hosts';
import { expect, inject, it } from 'vitest';

const preload = [fileURLToPath(new URL('./throw-on-signal.preload.mjs', import.meta.url))];
const SECRET = 'correct-horse-battery-staple';

const start = (env: Record<string, string> = {}, databaseUrl = newDatabase(inject('postgresPort'))) =>
  GatewayHost.start({
    preload,
    databaseUrl,
    env: { ATTACK_SECRET: SECRET, PUSH_DRAIN_SECONDS: '0', ...env },
  });

it.each([
  ['an uncaught error', {}],
  ['an unhandled rejection', { ATTACK_REJECT: '1' }],
])(
  '%s is logged without its message, streams are drained, and the process exits with 1',
  async (_name, env) => {
    const host = await start(env);
    const { token } = await ApiClient.login(host.url, 'admin@crossfade.test');
    const probes = [await SseProbe.open(host.url, { token }), await WsProbe.open(host.url, { token })];
    await Promise.all(probes.map((probe) => probe.message('Connected')));
    process.kill(host.pid, 'SIGUSR2');
    for (const probe of probes) await probe.message('Reconnect');
    expect(await host.exited()).toBe(1);
    const lines = host.output.split('\n').filter((line) => line.includes('because of an uncaught error'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('throw-on-signal.preload.mjs');
    expect(lines[0]?.length).toBeLessThan(4096);
    expect(host.output).not.toContain(SECRET);
  },
);

it('a second fault ends the process at once', async () => {
  const host = await start({ PUSH_DRAIN_SECONDS: '20' });
  const { token } = await ApiClient.login(host.url, 'admin@crossfade.test');
  await (await SseProbe.open(host.url, { token })).message('Connected');
  process.kill(host.pid, 'SIGUSR2');
  await eventually('first fault', () => host.output.includes('because of an uncaught error') || undefined);
  process.kill(host.pid, 'SIGUSR2');
  const begun = Date.now();
  expect(await host.exited()).toBe(1);
  expect(Date.now() - begun).toBeLessThan(3000);
});

it.runIf(process.env['ATTACK_FULL'] === '1')('an end that hangs is over at its time', async () => {
  const databaseUrl = newDatabase(inject('postgresPort'));
  const host = await start(
    {
      SHUTDOWN_TIMEOUT_SECONDS: '5',
      DATABASE_STATEMENT_TIMEOUT_SECONDS: '60',
      DATABASE_LOCK_TIMEOUT_SECONDS: '50',
    },
    databaseUrl,
  );
  // The shutdown waits for the round of housekeeping, which waits for this lock.
  const end = startSql(databaseUrl, 'LOCK TABLE tokens; SELECT pg_sleep(60)');
  const waiting = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'crossfade' AND datname = current_database() AND wait_event_type = 'Lock'`;
  await eventually('housekeeping that waits', () => runSql(databaseUrl, waiting) || undefined, 15_000);
  process.kill(host.pid, 'SIGUSR2');
  const begun = Date.now();
  expect(await host.exited()).toBe(1);
  expect(Date.now() - begun).toBeGreaterThan(4000);
  await end();
});
