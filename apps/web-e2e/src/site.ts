import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { sampleToken } from '@crossfade/test-hosts';

const require = createRequire(import.meta.url);

/** Libraries: the folder of each package, and in it the file for browsers. */
const LIBRARIES = {
  '/exceptionless.js': [require.resolve('@exceptionless/browser'), './index.bundle.min.js'],
  '/exceptionless-1.js': [require.resolve('exceptionless'), './exceptionless.js'],
  '/event-source-polyfill.js': [require.resolve('event-source-polyfill'), './eventsource.js'],
  '/react-native-sse.js': [require.resolve('react-native-sse'), './src/EventSource.js'],
} as const;

const page = `<!doctype html><title>A shop</title><script type="module" src="/shop.js"></script>`;

/** Uses `@exceptionless/browser` as its documentation says. The page's URL names the customer. */
const shop = (gateway: string) => `
  import { Exceptionless } from '/exceptionless.js';
  await Exceptionless.startup((c) => {
    c.serverUrl = '${gateway}';
    c.apiKey = '${sampleToken.storefront}';
    c.useSessions(true, 60000, true);
    c.setUserIdentity(new URLSearchParams(location.search).get('customer'), 'A Customer');
  });
  window.exceptionless = Exceptionless;
  document.title = 'Ready';`;

/** A customer's own site, which knows Crossfade's URL. */
export class Site {
  private constructor(
    readonly url: string,
    readonly stop: () => void,
  ) {}

  /** On a free port, unless one is given. */
  static async start(gateway: string, port = 0): Promise<Site> {
    const files: Record<string, readonly [type: string, body: string | Buffer]> = {
      '/': ['text/html', page],
      '/shop.js': ['text/javascript', shop(gateway)],
      ...Object.fromEntries(
        Object.entries(LIBRARIES).map(([path, [start, file]]) => [
          path,
          ['text/javascript', readFileSync(join(dirname(start), file))] as const,
        ]),
      ),
    };
    const server = createServer(({ url = '' }, response) => {
      const [type, body] = files[url.split('?')[0] ?? ''] ?? ['text/plain', ''];
      response.writeHead(body === '' ? 204 : 200, { 'Content-Type': type }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const { port: own } = server.address() as AddressInfo;
    return new Site(`http://127.0.0.1:${own}`, () => {
      server.close();
      server.closeAllConnections();
    });
  }
}
