import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayHost, OwnFolder, ApiClient, sampleToken } from '@crossfade/test-hosts';
import { expect, it } from 'vitest';

/** Every file under a folder that others than its owner could open. */
function openToOthers(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => (lstatSync(join(folder, name)).mode & 0o077) !== 0,
  );
}

it("lets only its own account read the database's files, even without a umask, from their creation on", async () => {
  const folder = new OwnFolder('files').path;
  chmodSync(folder, 0o777);
  const before = process.umask(0);
  const host = await GatewayHost.start({ makesDatabase: true, env: { DATA_DIR: folder } });
  process.umask(before);
  expect(openToOthers(folder)).toEqual([]);
  const batch = Array.from({ length: 2000 }, () => ({
    message: 'makes files grow',
    data: { filler: 'x'.repeat(900) },
  }));
  await new ApiClient(host.url, sampleToken.storefront).json('POST', '/events', batch);
  expect(openToOthers(folder)).toEqual([]);
  expect(host.output).not.toContain('Removed the access of other accounts');
  // The volume's root may belong to somebody else.
  expect(lstatSync(folder).mode & 0o777).toBe(0o777);
  await host.stop('SIGKILL');

  // As an earlier version left it.
  execFileSync('chmod', ['-R', 'a+rwX', folder]);
  const second = await GatewayHost.start({ env: { DATA_DIR: folder } });
  expect(openToOthers(folder)).toEqual([]);
  expect(second.output.match(/Removed the access of other accounts to \d+ files in [^ ]+\./g)).toHaveLength(
    1,
  );
  await second.stop('SIGKILL');
});

it.runIf(process.getuid?.() === 0)(
  'refuses a folder of another account, and prints the command that mends it',
  async () => {
    const folder = new OwnFolder('foreign').path;
    const NOBODY = 65_534;
    chmodSync(folder, 0o777);
    const database = join(folder, 'postgres');
    mkdirSync(database);
    chmodSync(database, 0o777);
    const failed = GatewayHost.spawn({ uid: NOBODY, env: { DATA_DIR: folder, LOG_LEVEL: 'silent' } });
    expect(await failed.exited()).toBe(1);
    expect(failed.output).toMatch(/^[^\n]+\.\n$/);
    expect(failed.output).toContain(`${database} belongs to account 0`);
    expect(failed.output).toContain(`chown -R ${NOBODY} ${database}`);
    expect(failed.output).toContain(`chmod -R go-rwx ${database}`);

    chownSync(database, NOBODY, NOBODY);
    const host = await GatewayHost.start({ uid: NOBODY, env: { DATA_DIR: folder } });
    expect(openToOthers(folder)).toEqual([]);
    await host.stop('SIGKILL');
  },
);
