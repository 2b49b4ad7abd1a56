import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GatewayHost } from '@crossfade/test-hosts';
import { it } from 'vitest';
import { Browsing, apps, connection, sendError } from './browser.ts';

const folder = fileURLToPath(new URL('../../../docs/screenshots', import.meta.url));
const looks = [
  { suffix: '', options: {} },
  { suffix: '-dark', options: { colorScheme: 'dark' as const } },
  { suffix: '-phone', options: { viewport: { width: 390, height: 780 } } },
];

it('takes the pictures of the documentation', async () => {
  mkdirSync(folder, { recursive: true });
  const gateway = await GatewayHost.start();
  const browsing = await Browsing.start();
  for (const { name, path } of apps) {
    const page = await browsing.window(`${gateway.url}${path}`);
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await page.screenshot({ path: join(folder, `${name}-sign-in.png`) });
  }
  for (const kind of ['checkout', 'search', 'checkout', 'payment', 'checkout'])
    await sendError(gateway.url, kind);
  for (const { name, path } of apps) {
    for (const { suffix, options } of looks) {
      if (name === 'legacy' && suffix === '-dark') continue;
      const page = await browsing.signedIn(`${gateway.url}${path}`, 'admin@crossfade.test', options);
      await connection(page, 'open');
      await page.getByRole('link', { name: 'Unexpected end' }).waitFor();
      await page.screenshot({ path: join(folder, `${name}-stacks${suffix}.png`) });
      await page.getByRole('link', { name: 'Cannot read' }).click();
      await page.locator('[data-testid=events] details').first().waitFor();
      await page.screenshot({ path: join(folder, `${name}-stack${suffix}.png`) });
      await page.context().close();
    }
  }
  await browsing.stop();
  await gateway.stop();
});
