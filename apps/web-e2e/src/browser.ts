import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromiumArguments, chromiumPath } from '@crossfade/test-hosts';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

export const apps = [
  { name: 'modern', path: '/next/' },
  { name: 'legacy', path: '/' },
] as const;

/** One real Chromium; every window is a browser profile of its own. */
export class Browsing {
  /** Errors that any page reported: exceptions, and what the console shows in red. */
  readonly errors: string[] = [];

  private constructor(private readonly browser: Browser) {}

  static async start(): Promise<Browsing> {
    return new Browsing(
      await chromium.launch({ executablePath: chromiumPath(), args: [...chromiumArguments] }),
    );
  }

  async window(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({ viewport: { width: 1100, height: 700 }, ...options });
    const page = await context.newPage();
    page.on('pageerror', (error) => this.errors.push(`${url}: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(`${url}: ${message.text()}`);
    });
    page.on('dialog', (dialog) => {
      this.errors.push(`${url}: a dialog opened: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(url);
    return page;
  }

  async signedIn(url: string, email: string, options?: BrowserContextOptions): Promise<Page> {
    const page = await this.window(url, options);
    await signIn(page, email);
    return page;
  }

  stop(): Promise<void> {
    return this.browser.close();
  }
}

export async function signIn(page: Page, email: string, password = 'tester'): Promise<void> {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Stacks' }).waitFor();
}

export const connection = (page: Page, state: string): Promise<void> =>
  page.locator(`[data-connection="${state}"]`).waitFor({ timeout: 30_000 });

/** The list's rows as a person reads them. */
export async function rows(page: Page): Promise<{ title: string; occurrences: string }[]> {
  return page.locator('[data-testid=stacks] tbody tr').evaluateAll((all) =>
    all.map((row) => ({
      title: row.querySelector('a')?.textContent?.trim() ?? '',
      occurrences: row.querySelector('[data-occurrences]')?.textContent?.trim() ?? '',
    })),
  );
}

const sample = fileURLToPath(new URL('../../../tools/samples/send-error.mjs', import.meta.url));

/** The README's command: a real error by the unchanged client library. */
export async function sendError(server: string, kind: string): Promise<void> {
  await promisify(execFile)(process.execPath, [sample, kind, '--server', server]);
}
