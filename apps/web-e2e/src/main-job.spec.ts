import { eventually } from '@crossfade/protocol/testing';
import {
  ApiClient,
  GatewayHost,
  OwnFolder,
  browserNames,
  sampleToken,
  makeMember,
} from '@crossfade/test-hosts';
import type { Page } from 'playwright-core';
import { afterEach, describe, expect, it } from 'vitest';
import { apps, connection, rows, sendError, signIn } from './browser.ts';
import { startHosts } from './hosts.ts';

/** Documented: a change is on both screens within a second. The test allows five times that. */
const BOUND_MS = 5 * 1000;

const windows = browserNames.flatMap((browser) => apps.map((app) => ({ browser, ...app })));

describe('an error comes in', () => {
  const hosts = startHosts({}, browserNames);
  afterEach(() => {
    expect(hosts.browsing.errors).toEqual([]);
  });

  /** Both apps in every browser. */
  const everywhere = async (email: string): Promise<Page[]> => {
    const pages = await Promise.all(
      windows.map(({ browser, path }) =>
        hosts.browsing.signedIn(`${hosts.gateway.url}${path}`, email, { browser }),
      ),
    );
    await Promise.all(pages.map((page) => connection(page, 'open')));
    return pages;
  };

  /** Sends an error, and returns the time from its throw until all pages showed the expected text, in milliseconds. */
  async function shownAfter(kind: string, pages: readonly Page[], wanted: unknown): Promise<number> {
    const shown = pages.map((page) =>
      eventually(`list like ${JSON.stringify(wanted)}`, async () =>
        JSON.stringify(await rows(page)) === JSON.stringify(wanted) ? Date.now() : undefined,
      ),
    );
    await sendError(hosts.gateway.url, kind);
    return Math.max(...(await Promise.all(shown))) - (await newestEventTime());
  }

  /** The date that the client library gave the newest error of the storefront. */
  async function newestEventTime(): Promise<number> {
    const admin = await ApiClient.login(hosts.gateway.url, 'admin@crossfade.test');
    const projects = await admin.json<{ id: string; name: string }[]>('GET', '/projects');
    const storefront = projects.find(({ name }) => name === 'Storefront')?.id;
    const [newest] = await admin.json<{ date: string }[]>('GET', `/projects/${storefront}/events?limit=1`);
    return Date.parse(newest?.date ?? '');
  }

  it('and both apps change while you watch: a new stack, a higher count, a second stack', async () => {
    const pages = await everywhere('admin@crossfade.test');
    for (const page of pages) await page.getByText('No errors yet').waitFor();
    const checkout = "Cannot read properties of undefined (reading 'length')";
    const delays = [
      await shownAfter('checkout', pages, [{ title: checkout, occurrences: '1' }]),
      await shownAfter('checkout', pages, [{ title: checkout, occurrences: '2' }]),
      await shownAfter('search', pages, [
        { title: 'Unexpected end of JSON input', occurrences: '1' },
        { title: checkout, occurrences: '2' },
      ]),
    ];
    console.log(`On all screens after ${delays.join(', ')} ms`);
    for (const delay of delays) {
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThan(BOUND_MS);
    }
    for (const page of pages) expect(page.url()).not.toContain('login');
    await Promise.all(pages.map((page) => page.context().close()));
  });

  it('a stack shows its latest events live, and what is marked fixed in one app is fixed in the other', async () => {
    const pages = await everywhere('member@crossfade.test');
    const title = "Cannot read properties of undefined (reading 'length')";
    for (const page of pages) await page.getByRole('link', { name: title }).click();
    for (const page of pages)
      await expect.poll(() => page.locator('[data-testid=events] details').count()).toBe(2);
    await sendError(hosts.gateway.url, 'checkout');
    for (const page of pages) {
      await expect
        .poll(() => page.locator('[data-testid=events] details').count(), { timeout: BOUND_MS })
        .toBe(3);
      await expect
        .poll(() => page.locator('[data-testid=stack] [data-occurrences]').textContent(), {
          timeout: BOUND_MS,
        })
        .toBe('3');
    }
    const shown = (status: string) =>
      Promise.all(
        pages.map((page) =>
          page
            .locator('[data-testid=stack]')
            .getByText(status, { exact: true })
            .waitFor({ timeout: BOUND_MS }),
        ),
      );
    for (const page of pages) {
      await page.getByRole('button', { name: 'Mark fixed' }).click();
      await shown('fixed');
      await sendError(hosts.gateway.url, 'checkout');
      await shown('regressed');
    }
    await Promise.all(pages.map((page) => page.context().close()));
  });

  it('a link with the id in capitals shows the same stack, live', async () => {
    const pages = await everywhere('member@crossfade.test');
    const title = 'Unexpected end of JSON input';
    for (const page of pages) {
      await page.getByRole('link', { name: title }).click();
      await page.waitForURL(/stacks\/[0-9a-f-]{36}$/);
      const shouted = page.url().replace(/[0-9a-f-]{36}$/, (id) => id.toUpperCase());
      await page.goto('about:blank');
      await page.goto(shouted);
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
      await connection(page, 'open');
    }
    const occurrences = (page: Page) => page.locator('[data-testid=stack] [data-occurrences]').textContent();
    const before = await Promise.all(pages.map(occurrences));
    await sendError(hosts.gateway.url, 'search');
    for (const [index, page] of pages.entries())
      await expect
        .poll(() => occurrences(page), { timeout: BOUND_MS })
        .toBe(String(Number(before[index]) + 1));
    await Promise.all(pages.map((page) => page.context().close()));
  });

  it('a removed member no longer sees the organization, and sees it again when added', async () => {
    const pages = await everywhere('member@crossfade.test');
    const admin = await ApiClient.login(hosts.gateway.url, 'admin@crossfade.test');
    const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
    const acme = organizations.find(({ name }) => name === 'Acme')?.id ?? '';
    const member = {
      email: 'member@crossfade.test',
      as: await ApiClient.login(hosts.gateway.url, 'member@crossfade.test'),
    };
    for (const page of pages)
      await page.getByRole('link', { name: 'Unexpected end of JSON input' }).waitFor();
    await admin.json('DELETE', `/organizations/${acme}/users/${member.email}`);
    for (const page of pages)
      await page.getByText('You are not in any organization').waitFor({ timeout: BOUND_MS });
    hosts.browsing.errors.splice(0);
    await makeMember(admin, acme, member);
    for (const page of pages) {
      await page.getByRole('link', { name: 'Unexpected end of JSON input' }).waitFor({ timeout: BOUND_MS });
    }
    await Promise.all(pages.map((page) => page.context().close()));
    hosts.browsing.errors.splice(0);
  });

  for (const { browser, name, path } of windows) {
    it(`the ${name} app in ${browser} says what is wrong at sign-in, and signs out everywhere in its browser`, async () => {
      const page = await hosts.browsing.window(`${hosts.gateway.url}${path}`, { browser });
      await page.getByLabel('E-mail').fill('admin@crossfade.test');
      await page.getByLabel('Password').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').getByText('The e-mail address or the password is wrong.').waitFor();
      await signIn(page, 'admin@crossfade.test');
      await connection(page, 'open');
      const other = await page.context().newPage();
      await other.goto(`${hosts.gateway.url}${path}`);
      await connection(other, 'open');
      if (name === 'modern') await page.getByRole('button', { name: 'Account' }).click();
      await page.getByText('Sign out').click();
      for (const one of [page, other]) await one.getByRole('button', { name: 'Sign in' }).waitFor();
      await page.context().close();
      // The refused password is a console error, as it should be.
      expect(hosts.browsing.errors.splice(0).every((error) => error.includes('401'))).toBe(true);
    });

    it(`the ${name} app in ${browser} signs out when its session is revoked elsewhere`, async () => {
      const page = await hosts.browsing.signedIn(`${hosts.gateway.url}${path}`, 'member@crossfade.test', {
        browser,
      });
      await connection(page, 'open');
      const other = await ApiClient.login(hosts.gateway.url, 'member@crossfade.test');
      const sessions = await other.json<{ id: string; is_current: boolean }[]>('GET', '/users/me/tokens');
      await other.json(
        'DELETE',
        `/tokens/${sessions
          .filter(({ is_current }) => !is_current)
          .map(({ id }) => id)
          .join(',')}`,
      );
      await page.getByText('Your session has ended').waitFor();
      await page.context().close();
      hosts.browsing.errors.splice(0);
    });
  }

  it('both apps come back by themselves, and are current, after the gateway was away', async () => {
    const port = new URL(hosts.gateway.url).port;
    const env = { PORT: port, DATA_DIR: new OwnFolder('kept').path };
    await hosts.gateway.stop();
    hosts.gateway = await GatewayHost.start({ env });
    const pages = await everywhere('admin@crossfade.test');
    await hosts.gateway.stop();
    for (const page of pages) await connection(page, 'waiting');
    hosts.gateway = await GatewayHost.start({ env });
    await new ApiClient(hosts.gateway.url, sampleToken.storefront).json('POST', '/events', {
      type: 'error',
      message: 'while away',
    });
    for (const page of pages) {
      await connection(page, 'open');
      await page.getByRole('link', { name: 'while away' }).waitFor({ timeout: BOUND_MS });
    }
    await Promise.all(pages.map((page) => page.context().close()));
    // An unreachable server is a console error, as it should be.
    hosts.browsing.errors.splice(0);
  });
});
