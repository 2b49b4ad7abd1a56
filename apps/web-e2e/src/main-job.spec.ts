import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, browserNames, makeMember, sampleToken } from '@crossfade/test-hosts';
import type { Page } from 'playwright-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { apps, connection, requestsForStreams, rows, sendError, signIn } from './browser.ts';
import { startReplicatedHosts } from './hosts.ts';

/** Documented: a change is on both screens within a second. The test allows five times that. */
const BOUND_MS = 5 * 1000;
const ADMIN = 'admin@crossfade.test';
const MEMBER = 'member@crossfade.test';

describe('an error comes in', () => {
  const hosts = startReplicatedHosts({}, browserNames);
  /** Both apps in every browser. */
  let windows: readonly { readonly page: Page; readonly address: string }[];
  let admin: ApiClient;
  let acme: string;
  beforeAll(async () => {
    admin = await ApiClient.login(hosts.replicas.third.url, ADMIN);
    const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
    acme = organizations.find(({ name }) => name === 'Acme')?.id ?? '';
    windows = await Promise.all(
      browserNames.flatMap((browser) =>
        apps.map(async (app) => {
          const address = hosts.address(app);
          return { page: await hosts.browsing.signedIn(address, MEMBER, { browser }), address };
        }),
      ),
    );
  });
  afterEach(() => {
    expect(hosts.browsing.errors.splice(0)).toEqual([]);
  });

  /** The windows' pages, after each has loaded its app anew. */
  const everywhere = (): Promise<Page[]> =>
    Promise.all(
      windows.map(async ({ page, address }) => {
        // A new fragment alone would not load it.
        await page.goto('about:blank');
        await page.goto(address);
        await connection(page, 'open');
        return page;
      }),
    );
  const throwElsewhere = (kind: string) => sendError(hosts.replicas.third.url, kind);
  const postElsewhere = (message: string) =>
    new ApiClient(hosts.replicas.third.url, sampleToken.storefront).json('POST', '/events', {
      type: 'error',
      message,
    });

  /** Sends an error, and returns the time from its throw until all pages showed the expected text, in milliseconds. */
  async function shownAfter(kind: string, pages: readonly Page[], wanted: unknown): Promise<number> {
    const shown = pages.map((page) =>
      eventually(`list like ${JSON.stringify(wanted)}`, async () =>
        JSON.stringify(await rows(page)) === JSON.stringify(wanted) ? Date.now() : undefined,
      ),
    );
    await throwElsewhere(kind);
    return Math.max(...(await Promise.all(shown))) - (await newestEventTime());
  }

  /** The date that the client library gave the newest error of the storefront. */
  async function newestEventTime(): Promise<number> {
    const projects = await admin.json<{ id: string; name: string }[]>('GET', '/projects');
    const storefront = projects.find(({ name }) => name === 'Storefront')?.id;
    const [newest] = await admin.json<{ date: string }[]>('GET', `/projects/${storefront}/events?limit=1`);
    return Date.parse(newest?.date ?? '');
  }

  it('and both apps change while you watch: a new stack, a higher count, a second stack', async () => {
    const pages = await everywhere();
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
  });

  it('a stack shows its latest events live, and what is marked fixed in one app is fixed in the other', async () => {
    const pages = await everywhere();
    const title = "Cannot read properties of undefined (reading 'length')";
    await Promise.all(pages.map((page) => page.getByRole('link', { name: title }).click()));
    for (const page of pages)
      await expect.poll(() => page.locator('[data-testid=events] details').count()).toBe(2);
    await throwElsewhere('checkout');
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
      await throwElsewhere('checkout');
      await shown('regressed');
    }
  });

  it('a link with the id in capitals shows the same stack, live', async () => {
    const pages = await everywhere();
    const title = 'Unexpected end of JSON input';
    await Promise.all(
      pages.map(async (page) => {
        await page.getByRole('link', { name: title }).click();
        await page.waitForURL(/stacks\/[0-9a-f-]{36}$/);
        const shouted = page.url().replace(/[0-9a-f-]{36}$/, (id) => id.toUpperCase());
        await page.goto('about:blank');
        await page.goto(shouted);
        await page.getByRole('heading', { level: 1, name: title }).waitFor();
        await connection(page, 'open');
      }),
    );
    const occurrences = (page: Page) => page.locator('[data-testid=stack] [data-occurrences]').textContent();
    const before = await Promise.all(pages.map(occurrences));
    await throwElsewhere('search');
    for (const [index, page] of pages.entries())
      await expect
        .poll(() => occurrences(page), { timeout: BOUND_MS })
        .toBe(String(Number(before[index]) + 1));
  });

  it('a removed member no longer sees the organization, and sees it again when added', async () => {
    const pages = await everywhere();
    const member = { email: MEMBER, as: await ApiClient.login(hosts.replicas.third.url, MEMBER) };
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
    hosts.browsing.errors.splice(0);
  });

  it('both apps come back by themselves, and are current, after their replicas were away', async () => {
    const pages = await everywhere();
    const own = apps.map(({ name }) => hosts.replicas[name]);
    await Promise.all(own.map((replica) => replica.stop()));
    for (const page of pages) await connection(page, 'waiting');
    await postElsewhere('while away');
    await Promise.all(own.map((replica) => replica.start()));
    for (const page of pages) {
      await connection(page, 'open');
      await page.getByRole('link', { name: 'while away' }).waitFor({ timeout: BOUND_MS });
    }
    // An unreachable server is a console error, as it should be.
    hosts.browsing.errors.splice(0);
  });

  it('neither app notices that a replica is away that it was not opened from', async () => {
    const pages = await everywhere();
    const asked = pages.map(requestsForStreams);
    await hosts.replicas.third.stop();
    await hosts.replicas.third.start();
    await postElsewhere('after a replica was away');
    for (const page of pages) {
      await page.getByRole('link', { name: 'after a replica was away' }).waitFor({ timeout: BOUND_MS });
      await connection(page, 'open');
    }
    expect(asked).toEqual(pages.map(() => []));
  });

  it('both apps sign out when their sessions are revoked elsewhere', async () => {
    const pages = await everywhere();
    const other = await ApiClient.login(hosts.replicas.third.url, MEMBER);
    const sessions = await other.json<{ id: string; is_current: boolean }[]>('GET', '/users/me/tokens');
    await other.json(
      'DELETE',
      `/tokens/${sessions
        .filter(({ is_current }) => !is_current)
        .map(({ id }) => id)
        .join(',')}`,
    );
    for (const page of pages) await page.getByText('Your session has ended').waitFor({ timeout: BOUND_MS });
    hosts.browsing.errors.splice(0);
  });

  it('both apps say what is wrong at sign-in, and sign out everywhere in their browser', async () => {
    await Promise.all(
      windows.map(async ({ page, address }) => {
        await page.goto('about:blank');
        await page.goto(address);
        await page.getByLabel('E-mail').fill(ADMIN);
        await page.getByLabel('Password').fill('wrong');
        await page.getByRole('button', { name: 'Sign in' }).click();
        await page.getByRole('alert').getByText('The e-mail address or the password is wrong.').waitFor();
        await signIn(page, ADMIN);
        await connection(page, 'open');
        const other = await page.context().newPage();
        await other.goto(address);
        await connection(other, 'open');
        if (address.endsWith('/next/')) await page.getByRole('button', { name: 'Account' }).click();
        await page.getByText('Sign out').click();
        for (const one of [page, other]) await one.getByRole('button', { name: 'Sign in' }).waitFor();
      }),
    );
    // The refused password is a console error, as it should be.
    expect(hosts.browsing.errors.splice(0).every((error) => error.includes('401'))).toBe(true);
  });
});
