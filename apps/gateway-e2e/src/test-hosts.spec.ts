import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, GatewayHost, sampleToken } from '@crossfade/test-hosts';
import { expect, it } from 'vitest';

const abandoned = fileURLToPath(new URL('./abandoned-hosts.ts', import.meta.url));

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

it('hosts have their own stores, and run side by side without affecting each other', async () => {
  const [one, other] = await Promise.all([GatewayHost.start(), GatewayHost.start()]);
  expect(one.folder).not.toBe(other.folder);
  await new ApiClient(one.url, sampleToken.storefront).json('POST', '/events', { message: 'only here' });
  const stacks = async ({ url }: GatewayHost) => {
    const client = await ApiClient.login(url, 'member@crossfade.test');
    const [acme] = await client.json<{ id: string }[]>('GET', '/organizations');
    return client.json<unknown[]>('GET', `/organizations/${acme?.id}/stacks`);
  };
  expect(await stacks(one)).toHaveLength(1);
  expect(await stacks(other)).toHaveLength(0);
  await Promise.all([one.stop(), other.stop()]);
  for (const host of [one, other]) {
    expect(isAlive(host.pid)).toBe(false);
    expect(existsSync(host.folder)).toBe(false);
  }
});

it('a run that is killed leaves no process and no folder', async () => {
  const run = spawn(process.execPath, ['--experimental-transform-types', '--no-warnings', abandoned], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  run.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  const left = await eventually(
    'started hosts',
    () => (said.endsWith('\n') ? (JSON.parse(said) as { pids: number[]; folders: string[] }) : undefined),
    60_000,
  );
  expect([...left.pids.map(isAlive), ...left.folders.map((folder) => existsSync(folder))]).not.toContain(
    false,
  );
  run.kill('SIGKILL');
  await once(run, 'exit');
  await eventually(
    'end of everything that it had started',
    () => (left.pids.some(isAlive) || left.folders.some((folder) => existsSync(folder)) ? undefined : true),
    20_000,
  );
});
