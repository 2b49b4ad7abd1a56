import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GatewayHost } from '@crossfade/test-hosts';
import { expect, it } from 'vitest';

const folder = fileURLToPath(new URL('../../../tools/http', import.meta.url));

it('runs the smoke file: log in, stream by header, stream by query token', async () => {
  const host = await GatewayHost.start();
  const run = promisify(execFile)(process.execPath, ['run.mjs', 'push.http', '--host', host.url], {
    cwd: folder,
  });
  const { stdout } = await run;
  expect(stdout.match(/^ok .*Stream.*"Connected"/gm)).toHaveLength(2);
  expect(stdout).not.toContain('FAILED');
  await host.stop();
});
