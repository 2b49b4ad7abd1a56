import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { describe, expect, it } from 'vitest';
import { apps, connection, rows, signIn } from './browser.ts';
import { startHosts } from './hosts.ts';

const MINUTE_MS = 60_000;

describe('push switched off', () => {
  const hosts = startHosts({ ENABLE_PUSH: 'false' });

  it(
    'leaves both apps usable, and neither retries within a minute',
    async () => {
      await new ApiClient(hosts.gateway.url, sampleToken.storefront).json('POST', '/events', {
        type: 'error',
        message: 'seen without push',
      });
      const seen = await Promise.all(
        apps.map(async ({ name, path }) => {
          const page = await hosts.browsing.window(`${hosts.gateway.url}${path}`);
          const asked: string[] = [];
          page.on('request', (request) => {
            if (request.url().includes('/api/v2/push')) asked.push(request.url());
          });
          page.on('websocket', (socket) => asked.push(socket.url()));
          await signIn(page, 'admin@crossfade.test');
          await connection(page, 'off');
          await expect.poll(() => rows(page)).toEqual([{ title: 'seen without push', occurrences: '1' }]);
          await new Promise((resolve) => setTimeout(resolve, MINUTE_MS));
          await page.reload();
          await connection(page, 'off');
          return { name, asked: asked.length };
        }),
      );
      // Once for each time the page was loaded.
      expect(seen).toEqual(apps.map(({ name }) => ({ name, asked: 2 })));
    },
    2 * MINUTE_MS,
  );
});
