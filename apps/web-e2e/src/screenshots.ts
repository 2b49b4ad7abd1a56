import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GatewayHost } from '@crossfade/test-hosts';
import { it } from 'vitest';
import { Browsing } from './browser.ts';
import { dark, desktop, phone, prepareTour, takeTour } from './tour.ts';

const folder = fileURLToPath(new URL('../../../docs/screenshots', import.meta.url));
/** The README's pictures are kept with the sources; the others are only for viewing. */
const all = process.env['SCREENSHOTS_DIR'] ?? fileURLToPath(new URL('../screenshots', import.meta.url));
const KEPT = ['modern-stacks', 'legacy-stacks'];

it('takes a picture of every page and state', async () => {
  for (const one of [folder, all]) mkdirSync(one, { recursive: true });
  const gateway = await GatewayHost.start({ env: { ENABLE_SIGNUP: 'true', API_THROTTLE_PER_MINUTE: '0' } });
  const browsing = await Browsing.start();
  await prepareTour(gateway.url);
  await takeTour(gateway.url, browsing, [desktop, dark, phone], async (page, name) => {
    await page.screenshot({ path: join(all, `${name}.png`), animations: 'disabled' });
    if (KEPT.includes(name)) await page.screenshot({ path: join(folder, `${name}.png`) });
  });
  await browsing.stop();
  await gateway.stop();
});
