import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { describe, expect, it } from 'vitest';
import { apps, connection, requestsForStreams, rows, signIn } from './browser.ts';
import { startHosts } from './hosts.ts';

const MINUTE_MS = 60_000;

describe('push switched off', () => {
  const hosts = startHosts({ ENABLE_PUSH: 'false' });

  it('leaves both apps usable, and they ask again after minutes', async () => {
    await new ApiClient(hosts.gateway.url, sampleToken.storefront).json('POST', '/events', {
      type: 'error',
      message: 'seen without push',
    });
    const seen = await Promise.all(
      apps.map(async ({ name, path }) => {
        const page = await hosts.browsing.window('about:blank');
        // Minutes pass for the page alone.
        await page.clock.install();
        const asked = requestsForStreams(page);
        await page.goto(`${hosts.gateway.url}${path}`);
        await signIn(page, 'admin@crossfade.test');
        await connection(page, 'off');
        await expect.poll(() => rows(page)).toEqual([{ title: 'seen without push', occurrences: '1' }]);
        const atFirst = asked.length;
        for (let minute = 0; minute < 4; minute += 1) {
          await page.clock.runFor(MINUTE_MS);
          await connection(page, 'off');
        }
        const within = asked.length;
        await page.clock.runFor(4 * MINUTE_MS);
        await expect.poll(() => asked.length).toBeGreaterThan(within);
        return { name, atFirst, within };
      }),
    );
    expect(seen).toEqual(apps.map(({ name }) => ({ name, atFirst: 1, within: 1 })));
  });
});
