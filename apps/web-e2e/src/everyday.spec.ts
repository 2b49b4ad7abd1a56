import { eventually } from '@crossfade/protocol/testing';
import { ApiClient, hourWithRoom, sampleToken } from '@crossfade/test-hosts';
import type { Page } from 'playwright-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { apps, connection, signIn } from './browser.ts';
import { startReplicatedHosts } from './hosts.ts';

/** Documented: a change in one app is visible in the other within a second. The test allows five times that. */
const BOUND_MS = 5 * 1000;
const ADMIN = 'admin@crossfade.test';
const MEMBER = 'member@crossfade.test';

describe('both apps side by side', () => {
  const hosts = startReplicatedHosts();
  let admin: ApiClient;
  let modern: Page;
  let legacy: Page;
  beforeAll(async () => {
    admin = await ApiClient.login(hosts.replicas.third.url, ADMIN);
    [modern, legacy] = await inBothApps(ADMIN);
  });
  afterEach(() => {
    expect(hosts.browsing.errors.splice(0)).toEqual([]);
  });

  /** The modern app and the legacy app. */
  const inBothApps = async (email: string) => {
    const pages = await Promise.all(apps.map((app) => hosts.browsing.signedIn(hosts.address(app), email)));
    await Promise.all(pages.map((page) => connection(page, 'open')));
    return pages as [Page, Page];
  };
  const inMain = async (link: string) => {
    const anchor = modern.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: link });
    const href = await anchor.getAttribute('href');
    await anchor.click();
    // A click starts a navigation; typing begins on the page where it ends.
    await modern.waitForURL(`${hosts.replicas.modern.url}${href}`);
    await modern.getByRole('heading', { level: 1, name: link }).waitFor();
    await modern.getByText('Loading').first().waitFor({ state: 'detached' });
  };
  /** The time from an action in one app until the other shows its effect, in milliseconds. */
  async function seenAfter(
    what: string,
    act: () => Promise<unknown>,
    seen: () => Promise<unknown>,
  ): Promise<void> {
    const waiting = seen();
    await act();
    const begun = performance.now();
    await waiting;
    const delay = Math.round(performance.now() - begun);
    console.log(`${what}: seen after ${delay} ms`);
    expect(delay).toBeLessThan(BOUND_MS);
  }
  const appears = (page: Page, testId: string, text: string) =>
    page.getByTestId(testId).getByText(text).waitFor({ timeout: 20_000 });
  const disappears = (page: Page, testId: string) =>
    page.getByTestId(testId).waitFor({ state: 'detached', timeout: 20_000 });
  const chooseOrganization = async (name: string) => {
    await legacy.getByLabel('Organization').selectOption({ label: name });
    await inMain('Stacks');
    await modern.getByLabel('Organization').selectOption({ label: name });
  };

  it('a system notification appears, only in the app that it is meant for, and disappears', async () => {
    await inMain('Notifications');
    const announce = async (message: string, where: string) => {
      await modern.getByLabel('Message').fill(message);
      await modern.getByLabel('Level').selectOption('Warning');
      await modern.getByLabel('Shown in').selectOption(where);
      await modern.getByRole('button', { name: 'Publish' }).click();
    };
    await seenAfter(
      'system notification',
      () => announce('Maintenance at noon', 'Both'),
      () =>
        Promise.all(
          [modern, legacy].map((page) => appears(page, 'system-notification', 'Maintenance at noon')),
        ),
    );
    // Dismissed only in one app of this browser profile, and remembered.
    await legacy.getByTestId('system-notification').getByRole('button', { name: 'Dismiss' }).click();
    await legacy.reload();
    await connection(legacy, 'open');
    expect(await legacy.getByTestId('system-notification').count()).toBe(0);
    await modern.reload();
    await appears(modern, 'system-notification', 'Maintenance at noon');

    await announce('For the modern app', 'Modern');
    await appears(modern, 'system-notification', 'For the modern app');
    await announce('For the legacy app', 'Legacy');
    await seenAfter(
      'system notification of another target',
      () => Promise.resolve(),
      () => appears(legacy, 'system-notification', 'For the legacy app'),
    );
    await disappears(modern, 'system-notification');
    await seenAfter(
      'end of the system notification',
      () => modern.getByRole('button', { name: 'Remove' }).click(),
      () => disappears(legacy, 'system-notification'),
    );
  });

  it('a release is offered, and can be put off', async () => {
    await inMain('Notifications');
    await modern.getByLabel('What is new').fill('Faster lists');
    await seenAfter(
      'release notification',
      () => modern.getByRole('button', { name: 'Announce' }).click(),
      () =>
        Promise.all([modern, legacy].map((page) => appears(page, 'release-notification', 'Faster lists'))),
    );
    for (const page of [modern, legacy]) {
      await page.getByTestId('release-notification').getByRole('button', { name: 'Later' }).click();
      await disappears(page, 'release-notification');
    }
  });

  it('a critical release loads the page when it is next hidden', async () => {
    await admin.json('POST', '/notifications/release?critical=true', { value: 'Security' });
    for (const page of [modern, legacy]) {
      await appears(page, 'release-notification', 'as soon as you leave this tab');
      expect(await page.getByRole('button', { name: 'Later' }).count()).toBe(0);
      const loaded = page.waitForEvent('load');
      await page.evaluate(() => {
        Object.defineProperty(document, 'hidden', { value: true, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      });
      await loaded;
      await connection(page, 'open');
      expect(await page.getByTestId('release-notification').count()).toBe(0);
    }
  });

  it('a critical release loads the page after a minute if nobody looks away', async () => {
    const pages = await Promise.all(
      apps.map(async (app) => {
        const page = await hosts.browsing.window('about:blank');
        await page.clock.install();
        await page.goto(hosts.address(app));
        await signIn(page, MEMBER);
        await connection(page, 'open');
        return page;
      }),
    );
    await admin.json('POST', '/notifications/release?critical=true', { value: 'Security' });
    await Promise.all(
      pages.map(async (page) => {
        await appears(page, 'release-notification', 'Security');
        await page.clock.fastForward(50_000);
        await appears(page, 'release-notification', 'Security');
        const loaded = page.waitForEvent('load');
        await page.clock.fastForward(11_000);
        await loaded;
        await page.context().close();
      }),
    );
    // The other pages got it too, and have their minute.
    for (const page of [modern, legacy]) {
      await page.reload();
      await connection(page, 'open');
    }
  });

  it('an overage is shown until a change of plan ends it', async () => {
    await hourWithRoom(15);
    await chooseOrganization('Globex');
    await appears(legacy, 'free-plan', 'free plan');
    const tooMany = Array.from({ length: 301 }, () => ({ message: 'one of too many' }));
    await seenAfter(
      'overage',
      async () => {
        const answer = await new ApiClient(hosts.replicas.third.url, sampleToken.intranet).call(
          'POST',
          '/events',
          tooMany,
        );
        expect(answer.status).toBe(202);
        expect(answer.headers.get('x-crossfade-dropped')).toBe('1');
      },
      () => Promise.all([modern, legacy].map((page) => appears(page, 'over-limit', 'over its hourly limit'))),
    );
    for (const page of [modern, legacy]) await appears(page, 'over-limit', '1 was dropped');
    await modern.getByTestId('over-limit').getByRole('link', { name: 'Change the plan' }).click();
    await modern.getByTestId('plan').waitFor();
    await seenAfter(
      'change of plan',
      () => modern.getByRole('radio', { name: 'small' }).check(),
      () =>
        Promise.all([
          disappears(modern, 'over-limit'),
          disappears(legacy, 'over-limit'),
          disappears(legacy, 'free-plan'),
        ]),
    );
    await new ApiClient(hosts.replicas.third.url, sampleToken.intranet).json('POST', '/events', {
      message: 'fits',
    });
    await modern
      .locator('[data-usage="This hour"]')
      .getByText('301 of 1,500 · 1 dropped')
      .waitFor({ timeout: BOUND_MS });
  });

  it('a member is invited, accepts, and is removed', async () => {
    const [theirs, other] = await inBothApps(MEMBER);
    const names = () => other.getByLabel('Organization').locator('option').allTextContents();
    expect(await names()).toEqual(['Acme']);
    await modern.getByLabel('Address to invite').fill(MEMBER);
    await modern.getByRole('button', { name: 'Invite' }).click();
    await modern.getByLabel('Link of the new invitation').waitFor();
    expect(await names()).toEqual(['Acme']);
    // No message announces an invitation: it is there when a page fetches.
    await theirs.reload();
    await theirs.getByRole('link', { name: /Organizations\s*1 invitation/ }).click();
    await seenAfter(
      'accepted invitation',
      () => theirs.getByRole('button', { name: 'Accept the invitation to Globex' }).click(),
      () => eventually('second organization', async () => ((await names()).length === 2 ? true : undefined)),
    );
    await theirs.getByRole('heading', { level: 1, name: 'Globex' }).waitFor();
    await theirs.context().close();
    await modern.getByTestId('invitations').getByText('No open invitations').waitFor();
    await modern.getByTestId('members').getByText(MEMBER).waitFor();
    await seenAfter(
      'removed member',
      async () => {
        await modern.getByTestId('members').locator('li', { hasText: MEMBER }).getByRole('button').click();
        await modern.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
      },
      () => eventually('one organization', async () => ((await names()).length === 1 ? true : undefined)),
    );
    await other.context().close();
  });

  it('every status change shows in both apps', async () => {
    await new ApiClient(hosts.replicas.third.url, sampleToken.storefront).json('POST', '/events', {
      type: 'error',
      message: 'Changes its status',
    });
    await chooseOrganization('Acme');
    for (const page of [modern, legacy]) await page.getByRole('link', { name: 'Changes its status' }).click();
    const badge = (page: Page, status: string) =>
      page.getByTestId('stack').getByText(status, { exact: true }).waitFor({ timeout: 20_000 });
    for (const [choice, status] of [
      ['ignored', 'ignored'],
      ['snooze for a day', 'snoozed'],
      ['discarded', 'discarded'],
      ['open', 'open'],
    ] as const) {
      await seenAfter(
        status,
        async () => {
          await modern.getByRole('button', { name: 'Change status' }).click();
          await modern.getByRole('menuitem', { name: choice }).click();
        },
        () => badge(legacy, status),
      );
    }
    await seenAfter(
      'fixed',
      () => legacy.getByRole('button', { name: 'Mark fixed' }).click(),
      () => badge(modern, 'fixed'),
    );
    await modern.getByRole('button', { name: 'Critical' }).click();
    await modern.getByText('Its occurrences are critical').waitFor();
    await modern.getByRole('button', { name: 'Delete' }).click();
    await modern.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
    await modern.getByRole('heading', { name: 'Stacks' }).waitFor();
    await legacy.getByText('There is no such stack').waitFor({ timeout: BOUND_MS });
    // The browser reports each refused request, the last one perhaps after the page has shown it.
    await legacy.goto(`${hosts.replicas.legacy.url}/#!/`);
    let told = 0;
    await eventually('silence', async () => {
      const before = told;
      await new Promise((resolve) => setTimeout(resolve, 500));
      told = hosts.browsing.errors.length;
      return told > 0 && told === before ? true : undefined;
    });
    hosts.browsing.errors.splice(0);
  });

  it('the list is searched, filtered and sorted, and the address keeps it', async () => {
    const client = new ApiClient(hosts.replicas.third.url, sampleToken.storefront);
    for (const message of ['Apples are missing', 'Apples are missing', 'Pears are late'])
      await client.json('POST', '/events', { type: 'error', message });
    const titles = () => modern.locator('[data-testid=stacks] tbody a').allTextContents();
    await inMain('Stacks');
    await modern.getByRole('link', { name: 'Pears are late' }).waitFor();
    await modern.getByLabel('Search').fill('apples');
    await expect
      .poll(async () => (await titles()).map((title) => title.trim()))
      .toEqual(['Apples are missing']);
    await modern.reload();
    await expect.poll(async () => (await titles()).length).toBe(1);
    await modern.getByLabel('Status', { exact: true }).selectOption('fixed');
    await modern.getByText('No matches').waitFor();
    await inMain('Stacks');
    await modern.getByLabel('Sort by').selectOption('Occurrences');
    await expect.poll(async () => (await titles())[0]?.trim()).toBe('Apples are missing');
  });

  it('a choice and a link at the same moment: the later one counts, and the choice shows what is listed', async () => {
    /** Both in one turn of the page's event loop, which nobody's hand can do. */
    const both = (order: 'choice first' | 'link first') =>
      modern.evaluate((order) => {
        const link = [...document.querySelectorAll<HTMLAnchorElement>('nav a')].find(
          ({ textContent }) => textContent.trim() === 'Stacks',
        );
        const status = document.querySelector<HTMLSelectElement>('[aria-label=Status]');
        if (status === null || link === undefined) throw new Error('the list has no status, or no link');
        const choose = () => {
          status.value = 'open';
          status.dispatchEvent(new Event('change', { bubbles: true }));
        };
        if (order === 'choice first') choose();
        link.click();
        if (order === 'link first') choose();
      }, order);
    const shown = async () => [
      await modern.getByLabel('Status', { exact: true }).inputValue(),
      new URL(modern.url()).searchParams.get('status') ?? '',
    ];
    await inMain('Stacks');
    await both('link first');
    await expect.poll(shown).toEqual(['open', 'open']);
    await inMain('Stacks');
    await both('choice first');
    await expect.poll(shown).toEqual(['', '']);
  });

  it('a change of plan that fails leaves the plan chosen that holds', async () => {
    await inMain('Organizations');
    await modern.getByTestId('organizations').getByRole('link', { name: 'Acme' }).click();
    const chosen = modern.getByTestId('plan').locator('input:checked');
    const before = await chosen.inputValue();
    await modern.route(/\/change-plan/, (route) => route.abort(), { times: 1 });
    await modern.getByTestId('plan').locator(`input:not([value=${before}])`).first().click();
    await modern.getByTestId('plan').getByRole('alert').waitFor();
    expect(await chosen.inputValue()).toBe(before);
    // Chromium reports what was aborted.
    expect(hosts.browsing.errors.splice(0).join()).toContain('ERR_FAILED');
  });

  it('a token is made, shown once with its set-up, works, and ends', async () => {
    await inMain('Organizations');
    await modern.getByTestId('organizations').getByRole('link', { name: 'Acme' }).click();
    await modern.getByLabel('New project').fill('Greenhouse');
    await modern.getByRole('button', { name: 'Create' }).click();
    await modern.getByTestId('projects').getByRole('link', { name: 'Greenhouse', exact: true }).click();
    await modern.getByLabel('Note for a new token').fill('The greenhouse itself');
    await modern.getByRole('button', { name: 'Create a token' }).click();
    const shown = modern.getByLabel('The new token');
    const token = (await shown.textContent())?.trim() ?? '';
    expect(token.length).toBeGreaterThan(30);
    for (const label of ['Code to start the client library', 'Command to send an event'])
      expect(await modern.getByLabel(label).textContent()).toContain(token);
    const client = new ApiClient(hosts.replicas.third.url, token);
    await client.json('POST', '/events', { type: 'error', message: 'Too hot in here' });
    await legacy.goto(`${hosts.replicas.legacy.url}/#!/`);
    await legacy.getByRole('link', { name: 'Too hot in here' }).waitFor({ timeout: BOUND_MS });
    await modern.reload();
    await modern.getByTestId('tokens').getByText('The greenhouse itself').waitFor();
    expect(await modern.content()).not.toContain(token);
    await modern.getByTestId('tokens').locator('li').getByRole('button', { name: 'Revoke' }).click();
    await modern.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
    await modern.getByText('None yet. Create one').waitFor();
    expect((await client.call('POST', '/events', {})).status).toBe(401);
    await modern.getByRole('button', { name: 'Delete' }).click();
    await modern.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
    await modern.getByRole('heading', { name: 'Organizations' }).waitFor();
    // Something deleted may be requested once more meanwhile, and is not found.
    hosts.browsing.errors.splice(0);
  });

  it('a session that is revoked elsewhere is signed out at once', async () => {
    // The same app, from another replica.
    const other = await hosts.browsing.signedIn(`${hosts.replicas.legacy.url}/next/`, ADMIN, {
      userAgent: 'Other/1.0',
    });
    await connection(other, 'open');
    await modern.getByRole('button', { name: 'Account' }).click();
    await modern.getByRole('menuitem', { name: 'Sessions' }).click();
    const row = modern.getByTestId('sessions').locator('li', { hasText: 'Other/1.0' });
    await row.getByRole('button', { name: 'End' }).click();
    await seenAfter(
      'ended session',
      () => modern.getByRole('alertdialog').getByRole('button', { name: 'End' }).click(),
      () => other.getByText('Your session has ended').waitFor(),
    );
    await row.waitFor({ state: 'detached' });
    await other.context().close();
    hosts.browsing.errors.splice(0);
  });

  it('a list that cannot be refetched stays, says why, and is current after another try', async () => {
    await inMain('Stacks');
    await chooseOrganization('Acme');
    await modern.getByRole('link', { name: 'Apples are missing' }).waitFor();
    const ofStacks = /\/organizations\/[^/]+\/stacks/;
    await modern.route(ofStacks, (route) => route.abort());
    await new ApiClient(hosts.replicas.third.url, sampleToken.storefront).json('POST', '/events', {
      type: 'error',
      message: 'Plums are blue',
    });
    const failure = modern.getByRole('alert').filter({ hasText: 'Could not load the stacks' });
    await failure.waitFor({ timeout: 20_000 });
    await failure.getByText('The server cannot be reached.').waitFor();
    expect(await modern.getByRole('link', { name: 'Apples are missing' }).count()).toBe(1);
    await modern.unroute(ofStacks);
    await failure.getByRole('button', { name: 'Try again' }).click();
    await modern.getByRole('link', { name: 'Plums are blue' }).waitFor();
    await failure.waitFor({ state: 'detached' });
    // The requests that were aborted.
    hosts.browsing.errors.splice(0);
  });

  it('an organization is created, and its page says what it needs', async () => {
    await inMain('Organizations');
    await modern.getByLabel('New organization').fill('Umbrella');
    await modern.getByRole('button', { name: 'Create' }).click();
    await modern.getByRole('heading', { name: 'Umbrella' }).waitFor();
    await eventually('organization in the legacy app', async () =>
      (await legacy.getByLabel('Organization').locator('option').allTextContents()).includes('Umbrella')
        ? true
        : undefined,
    );
    await legacy.getByLabel('Organization').selectOption({ label: 'Umbrella' });
    await appears(legacy, 'no-projects', 'has no project yet');
    await appears(legacy, 'free-plan', 'free plan');
    await inMain('Stacks');
    await modern.getByLabel('Organization').selectOption({ label: 'Umbrella' });
    await modern.getByText('Umbrella has no project yet').waitFor();
  });

  it('nobody signs up where that is switched off', async () => {
    const page = await hosts.browsing.window(`${hosts.address(apps[0])}signup`);
    await page.getByLabel('Name').fill('Ned New');
    await page.getByLabel('E-mail').fill('ned@example.com');
    await page.getByLabel('Password').fill('plain otters juggle');
    await page.getByRole('button', { name: 'Create the account' }).click();
    await page.getByRole('alert').getByText('Sign-up is switched off here').waitFor();
    await page.context().close();
    // The console error of the refusal that was shown.
    hosts.browsing.errors.splice(0);
  });
});
