import { describe, it } from 'vitest';
import { apps, connection } from './browser.ts';
import { startHosts } from './hosts.ts';

describe('a stream that falls silent', () => {
  const hosts = startHosts({ PUSH_KEEP_ALIVE_SECONDS: '1' });

  it('is noticed by both apps, although its connection is open, and they come back', async () => {
    const pages = await Promise.all(
      apps.map(({ path }) => hosts.browsing.signedIn(`${hosts.gateway.url}${path}`, 'admin@crossfade.test')),
    );
    await Promise.all(pages.map((page) => connection(page, 'open')));
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
});
