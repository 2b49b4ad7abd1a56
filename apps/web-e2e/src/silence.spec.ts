import { GatewayHost } from '@crossfade/test-hosts';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { Browsing, apps, connection } from './browser.ts';

describe('a stream that falls silent', () => {
  let gateway: GatewayHost;
  let browsing: Browsing;
  beforeAll(async () => {
    gateway = await GatewayHost.start({ env: { PUSH_KEEP_ALIVE_SECONDS: '1' } });
    browsing = await Browsing.start();
  });
  afterAll(async () => {
    await browsing?.stop();
    await gateway?.stop();
  });

  it('is noticed by both apps, although its connection stands, and they come back', async () => {
    const pages = await Promise.all(
      apps.map(({ path }) => browsing.signedIn(`${gateway.url}${path}`, 'admin@crossfade.test')),
    );
    await Promise.all(pages.map((page) => connection(page, 'open')));
    // A stopped process keeps its sockets: no end, no reset, only silence.
    process.kill(gateway.pid, 'SIGSTOP');
    try {
      await Promise.all(
        pages.map((page) =>
          page.locator('[data-connection="open"]').waitFor({ state: 'detached', timeout: 15_000 }),
        ),
      );
    } finally {
      process.kill(gateway.pid, 'SIGCONT');
    }
    await Promise.all(pages.map((page) => connection(page, 'open')));
  });
});
