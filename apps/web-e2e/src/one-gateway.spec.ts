import { ApiClient, GatewayHost, OwnFolder, freePort, sampleToken } from '@crossfade/test-hosts';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apps, connection, rows, sendError } from './browser.ts';
import { startHosts } from './hosts.ts';

const kept = new OwnFolder('kept');
const env = { PUSH_KEEP_ALIVE_SECONDS: '1', DATA_DIR: kept.path, PORT: String(await freePort()) };

/** What `npm start` runs. The suites about delivery have several replicas. */
describe('both apps on one gateway and its embedded database', () => {
  const hosts = startHosts(env);
  let pages: readonly Page[];
  beforeAll(async () => {
    pages = await Promise.all(
      apps.map(({ path }) => hosts.browsing.signedIn(hosts.gateway.url + path, 'admin@crossfade.test')),
    );
    await Promise.all(pages.map((page) => connection(page, 'open')));
  });
  afterAll(() => kept.giveBack());

  it('show an error that comes in', async () => {
    for (const page of pages) await page.getByText('No errors yet').waitFor();
    await sendError(hosts.gateway.url, 'checkout');
    for (const page of pages)
      await expect
        .poll(() => rows(page))
        .toEqual([{ title: "Cannot read properties of undefined (reading 'length')", occurrences: '1' }]);
    expect(hosts.browsing.errors).toEqual([]);
  });

  it('notice that a stream falls silent, although its connection is open, and come back', async () => {
    // A stopped process keeps its sockets open: no end, no reset, only silence.
    process.kill(hosts.gateway.pid, 'SIGSTOP');
    try {
      await Promise.all(
        pages.map((page) =>
          page.locator('[data-connection="open"]').waitFor({ state: 'detached', timeout: 15_000 }),
        ),
      );
    } finally {
      process.kill(hosts.gateway.pid, 'SIGCONT');
    }
    await Promise.all(pages.map((page) => connection(page, 'open')));
  });

  it('come back by themselves, and are current, after the gateway was away', async () => {
    await hosts.gateway.stop();
    for (const page of pages) await connection(page, 'waiting');
    hosts.gateway = await GatewayHost.start({ env });
    await new ApiClient(hosts.gateway.url, sampleToken.storefront).json('POST', '/events', {
      type: 'error',
      message: 'while away',
    });
    for (const page of pages) {
      await connection(page, 'open');
      await page.getByRole('link', { name: 'while away' }).waitFor();
    }
  });
});
