import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, OwnFolder, newDatabase, sampleToken } from '@crossfade/test-hosts';
import { expect, inject, it } from 'vitest';

const preload = [fileURLToPath(new URL('./spin-on-signal.preload.mjs', import.meta.url))];
const LIMIT_SECONDS = 2;

const start = (env: Record<string, string> = {}, execArgv: readonly string[] = []) =>
  GatewayHost.start({
    preload,
    execArgv,
    databaseUrl: env['DATA_DIR'] === undefined ? newDatabase(inject('postgresPort')) : undefined,
    env: { WATCHDOG_SECONDS: String(LIMIT_SECONDS), ...env },
  });

const isAlive = async (host: GatewayHost) => (await fetch(`${host.url}/health/live`)).status === 200;

it('ends a process whose event loop is blocked, logs that, and keeps what was stored', async () => {
  const folder = new OwnFolder('spin').path;
  const host = await start({ DATA_DIR: folder });
  const client = new ApiClient(host.url, sampleToken.storefront);
  await client.json('POST', '/events', { type: 'error', message: 'before the spin' });
  const begun = Date.now();
  process.kill(host.pid, 'SIGUSR2');
  await host.stop('SIGCONT');
  const took = Date.now() - begun;
  expect(took).toBeGreaterThan((LIMIT_SECONDS - 1) * 1000);
  expect(took).toBeLessThan((LIMIT_SECONDS + 6) * 1000);
  expect(host.output).toMatch(/^The gateway has not turned for 2 seconds \(WATCHDOG_SECONDS\)[^\n]+\.\n/m);

  const next = await start({ DATA_DIR: folder });
  const admin = await ApiClient.login(next.url, 'admin@crossfade.test');
  const [project] = (await admin.json<{ id: string; name: string }[]>('GET', '/projects')).filter(
    ({ name }) => name === 'Storefront',
  );
  const stacks = await admin.json<{ title: string }[]>('GET', `/projects/${project?.id}/stacks`);
  expect(stacks.map(({ title }) => title)).toContain('before the spin');
  await next.stop('SIGKILL');
});

it('spares a process that was stopped for three times as long, has a debugger, or has no watchdog', async () => {
  const [stopped, debugged, unwatched] = await Promise.all([
    start(),
    start({ ATTACK_STILL: '1' }, ['--inspect=127.0.0.1:0']),
    start({ ATTACK_STILL: '1', WATCHDOG_SECONDS: '0' }),
  ]);
  process.kill(debugged.pid, 'SIGUSR2');
  process.kill(unwatched.pid, 'SIGUSR2');
  process.kill(stopped.pid, 'SIGSTOP');
  await wait(3 * LIMIT_SECONDS * 1000);
  process.kill(stopped.pid, 'SIGCONT');
  await eventually('answer', async () => (await isAlive(stopped)) || undefined);
  // Stopped for a moment now and then, as on a machine with too few processors.
  for (let round = 0; round < 3; round += 1) {
    process.kill(stopped.pid, 'SIGSTOP');
    await wait(300);
    process.kill(stopped.pid, 'SIGCONT');
    await wait(300);
  }
  expect(await isAlive(stopped)).toBe(true);
  for (const host of [stopped, debugged, unwatched]) {
    expect(() => process.kill(host.pid, 0)).not.toThrow();
    expect(host.output).not.toContain('has not turned');
    await host.stop('SIGKILL');
  }
});

it.runIf(process.env['ATTACK_FULL'] === '1')(
  'does not take the largest batch of the embedded database for a spin',
  async () => {
    const host = await start({
      DATA_DIR: new OwnFolder('batch').path,
      WATCHDOG_SECONDS: '5',
      INGEST_EVENTS_PER_MINUTE: '0',
    });
    const client = new ApiClient(host.url, sampleToken.storefront);
    for (let round = 0; round < 3; round += 1) {
      const response = await client.call('POST', '/events', `[${'{},'.repeat(49_999)}{}]`);
      expect(response.status).toBe(202);
    }
    expect(await isAlive(host)).toBe(true);
    await host.stop('SIGKILL');
  },
);
