import { ApiClient, BrowserHost, inLetters, sampleToken } from '@crossfade/test-hosts';
import type { Browser, Page } from 'playwright-core';
import { percentile } from './figures.ts';

/** Longer than the apps gather changes, so that each sample is one change. */
const PAUSE_MS = 1200;
const apps = { modern: '/next/', legacy: '/' };

/**
 * The time from just before the POST of an error until its row is in each app's page. `publisher`: where errors are posted,
 * if to another replica.
 */
export async function measureScreens(
  url: string,
  samples: number,
  publisher = url,
): Promise<Record<string, unknown>[]> {
  const host = await BrowserHost.start();
  try {
    const pages = await Promise.all(Object.values(apps).map((path) => open(host.browser, `${url}${path}`)));
    const client = new ApiClient(publisher, sampleToken.storefront);
    const delays = pages.map((): number[] => []);
    for (let sample = 0; sample < samples; sample += 1) {
      const message = `Seen ${inLetters(sample)}`;
      const shown = pages.map((page) => whenShown(page, message));
      // The observers must be in place before the error is sent.
      await Promise.all(pages.map((page) => page.evaluate('1')));
      const begun = Date.now();
      await client.json('POST', '/events', { type: 'error', message });
      for (const [index, at] of (await Promise.all(shown)).entries()) delays[index]?.push(at - begun);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return Object.keys(apps).map((app, index) => ({
      app,
      'POST to screen p50, ms': percentile(delays[index] ?? [], 0.5),
      'p95, ms': percentile(delays[index] ?? [], 0.95),
      'p99, ms': percentile(delays[index] ?? [], 0.99),
    }));
  } finally {
    await host.stop();
  }
}

async function open(browser: Browser, url: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  await page.getByLabel('E-mail').fill('member@crossfade.test');
  await page.getByLabel('Password').fill('tester');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('[data-connection="open"]').waitFor();
  return page;
}

const whenShown = (page: Page, title: string): Promise<number> =>
  page.evaluate(
    (wanted) =>
      new Promise<number>((resolve) => {
        const look = (): void => {
          if (!document.body.innerText.includes(wanted)) return;
          observer.disconnect();
          resolve(Date.now());
        };
        const observer = new MutationObserver(look);
        observer.observe(document.body, { childList: true, characterData: true, subtree: true });
        look();
      }),
    title,
  );
