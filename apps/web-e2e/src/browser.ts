import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BrowserHost, type BrowserName } from '@crossfade/test-hosts';
import type { BrowserContextOptions, Page } from 'playwright-core';

export const apps = [
  { name: 'modern', path: '/next/' },
  { name: 'legacy', path: '/' },
] as const;
export type App = (typeof apps)[number];

/** The size of a window, unless another one is asked for. */
export const WINDOW = { width: 1100, height: 700 };

interface WindowOptions extends BrowserContextOptions {
  readonly browser?: BrowserName;
}

/** Real browsers. Every window has its own browser profile. */
export class Browsing {
  /** Errors of any page: exceptions and console errors. */
  readonly errors: string[] = [];

  private constructor(private readonly hosts: ReadonlyMap<BrowserName, BrowserHost>) {}

  static async start(names: readonly BrowserName[] = ['Chromium']): Promise<Browsing> {
    return new Browsing(
      new Map(await Promise.all(names.map(async (name) => [name, await BrowserHost.start(name)] as const))),
    );
  }

  async window(url: string, { browser = 'Chromium', ...options }: WindowOptions = {}): Promise<Page> {
    const host = this.hosts.get(browser);
    if (host === undefined) throw new Error(`${browser} was not started`);
    const context = await host.browser.newContext({ viewport: WINDOW, ...options });
    const page = await context.newPage();
    const note = (error: string) => this.errors.push(`${browser}, ${url}: ${error}`);
    page.on('pageerror', (error) => note(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') note(message.text());
    });
    page.on('dialog', (dialog) => {
      note(`a dialog opened: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(url);
    return page;
  }

  async signedIn(url: string, email: string, options?: WindowOptions): Promise<Page> {
    const page = await this.window(url, options);
    await signIn(page, email);
    return page;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.hosts.values()].map((host) => host.stop()));
  }
}

export async function signIn(page: Page, email: string, password = 'tester'): Promise<void> {
  const address = page.getByLabel('E-mail');
  // Otherwise, Playwright appends to the text of such a field in Firefox.
  await address.clear();
  await address.fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Stacks' }).waitFor();
}

export const connection = (page: Page, state: string): Promise<void> =>
  page.locator(`[data-connection="${state}"]`).waitFor({ timeout: 30_000 });

/** The requests for a stream that a page makes from now on, whatever comes of them. */
export function requestsForStreams(page: Page): string[] {
  const asked: string[] = [];
  page.on('request', (request) => {
    if (request.url().includes('/api/v2/push')) asked.push(request.url());
  });
  page.on('websocket', (socket) => asked.push(socket.url()));
  return asked;
}

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

/** The README's command: sends a real error with the unchanged client library. */
export async function sendError(server: string, kind: string): Promise<void> {
  await promisify(execFile)(process.execPath, [sample, kind, '--server', server]);
}
