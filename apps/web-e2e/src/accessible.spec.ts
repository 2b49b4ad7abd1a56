import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { CDPSession, Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { WINDOW, connection } from './browser.ts';
import { startHosts } from './hosts.ts';
import { dark, desktop, phone, prepareTour, takeTour, type Look } from './tour.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function violations(page: Page): Promise<string[]> {
  // A page that the last state did not change still has the script.
  if (!(await page.evaluate<boolean>('"axe" in window'))) await page.evaluate(axe);
  const { violations: found } = await page.evaluate<AxeResults>(`axe.run({ resultTypes: ['violations'] })`);
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
}

/** Changes the color scheme of an open page; loading it again would show nothing more. */
async function colour(page: Page, colorScheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.evaluate(() => {
    for (const animation of document.getAnimations())
      if (animation instanceof CSSTransition) animation.finish();
  });
}

/** Makes an open page a phone's or a desktop's; loading it again would show nothing more. */
async function screen(page: Page, { options }: Look): Promise<void> {
  const session = sessions.get(page) ?? (await page.context().newCDPSession(page));
  // What a session has set ends with it.
  sessions.set(page, session);
  const { viewport, isMobile: mobile = false, hasTouch: enabled = false } = options;
  const size = viewport ?? WINDOW;
  await session.send('Emulation.setDeviceMetricsOverride', { ...size, mobile, deviceScaleFactor: 1 });
  await session.send('Emulation.setTouchEmulationEnabled', { enabled });
  // A menu finds its place again with the next picture.
  await page.evaluate(
    () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
  );
}
const sessions = new WeakMap<Page, CDPSession>();

describe('every page and state of both apps', () => {
  const hosts = startHosts({ API_THROTTLE_PER_MINUTE: '0', ENABLE_SIGNUP: 'true' });
  beforeAll(() => prepareTour(hosts.gateway.url));

  it('has no violation that axe finds, no overflow, and breaks no policy', async () => {
    const faults: Record<string, string[]> = {};
    let looked = 0;
    const look = async (page: Page, name: string): Promise<void> => {
      looked += 1;
      const found = await violations(page);
      const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (width > 0) found.push(`sticks out by ${width} px`);
      if (found.length > 0) faults[name] = found;
    };
    await takeTour(hosts.gateway.url, hosts.browsing, [desktop], async (page, name) => {
      await look(page, name);
      if (dark.apps.some((app) => name.startsWith(app))) {
        await colour(page, 'dark');
        await look(page, `${name}${dark.suffix}`);
        await colour(page, 'light');
      }
      await screen(page, phone);
      await look(page, `${name}${phone.suffix}`);
      await screen(page, desktop);
    });
    console.log(`${looked} pages and states`);
    expect(looked).toBeGreaterThan(120);
    expect(faults).toEqual({});
    const policy = hosts.browsing.errors
      .splice(0)
      .filter((error) => !/status of 40[014]|ERR_FAILED/.test(error));
    expect(policy).toEqual([]);
  });

  it('can be used by keyboard alone', async () => {
    const page = await hosts.browsing.window(`${hosts.gateway.url}/next/`);
    await page.getByLabel('E-mail').focus();
    await page.keyboard.type('admin@crossfade.test');
    await page.keyboard.press('Tab');
    await page.keyboard.type('tester');
    await page.keyboard.press('Enter');
    await connection(page, 'open');
    await page.getByRole('link', { name: 'Cannot read' }).waitFor();
    const tabTo = async (name: string | RegExp, role: 'link' | 'button' | 'searchbox' | 'combobox') => {
      for (let press = 0; press < 60; press += 1) {
        await page.keyboard.press('Tab');
        const isThere = await page
          .getByRole(role, { name })
          .first()
          .evaluate((element) => element === document.activeElement)
          .catch(() => false);
        if (isThere) return;
      }
      throw new Error(`Tab does not reach ${String(name)}`);
    };
    await tabTo('Search', 'searchbox');
    await page.keyboard.type('read');
    await page.waitForURL(/q=read/);
    await tabTo(/^Cannot read/, 'link');
    expect(
      await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle),
    ).not.toBe('none');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Change status' }).waitFor();
    await tabTo('Change status', 'button');
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'ignored' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Escape');
    await tabTo('Delete', 'button');
    await page.keyboard.press('Enter');
    await page.getByRole('alertdialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('alertdialog').waitFor({ state: 'detached' });
    // Focus is back where it was, and the stack is still there.
    expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe('Delete');
    await page.context().close();

    const legacy = await hosts.browsing.window(`${hosts.gateway.url}/`);
    await legacy.getByLabel('E-mail').focus();
    await legacy.keyboard.type('admin@crossfade.test');
    await legacy.keyboard.press('Tab');
    await legacy.keyboard.type('tester');
    await legacy.keyboard.press('Enter');
    await connection(legacy, 'open');
    await legacy.getByLabel('Organization').focus();
    await legacy.keyboard.press('Tab');
    await legacy.keyboard.press('Enter');
    await legacy.getByRole('heading', { level: 1 }).waitFor();
    await legacy.context().close();
    hosts.browsing.errors.splice(0);
  });
});
