import { ApiClient, TcpProxy, inLetters, makeMember, sampleToken } from '@crossfade/test-hosts';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apps, connection, rows, signIn } from './browser.ts';
import { HeldAnswer, noteMessages, untilHeard } from './held-answer.ts';
import { startHosts } from './hosts.ts';

type App = (typeof apps)[number];

const ADMIN = 'admin@crossfade.test';
const MEMBER = 'member@crossfade.test';
/** Longer than the legacy app gathers changes before it refetches. */
const GATHERED_MS = 300;
/** Longer than a refetch round of the modern app, so that a test's preparation does not cause the refetch. */
const QUIET_MS = 400;
const SOON = { timeout: 5000 };

/** A response that the server sent before a change, and that the page gets after the message about the change. */
interface Point {
  readonly at: string;
  readonly app?: App['name'];
  /** Creates the page's data. */
  readonly prepare?: () => Promise<unknown>;
  /** The path of the request. */
  readonly held: () => RegExp;
  /** Makes the page fetch. */
  readonly ask: (page: Page, app: App) => Promise<unknown>;
  readonly change: (page: Page) => Promise<unknown>;
  /** The message about the change. If there is none, the page made the change itself. */
  readonly told?: string;
  /** What the page shows in the end. */
  readonly seen: (page: Page) => Promise<unknown>;
}

describe('a delayed response whose data changes meanwhile', () => {
  const hosts = startHosts();
  let proxy: TcpProxy;
  let admin: ApiClient;
  let member: ApiClient;
  let other: ApiClient;
  const ids = new Map<string, string>();
  const pages = new Map<string, Page>();
  const acme = () => ids.get('Acme');
  const globex = () => ids.get('Globex');
  const ofAcme = () => new RegExp(`/organizations/${acme()}/stacks`);
  const ofGlobex = () => new RegExp(`/organizations/${globex()}/stacks`);

  const listening = async () => {
    const page = await hosts.browsing.window('about:blank');
    await noteMessages(page);
    return page;
  };
  const address = ({ path }: App, at = '') => proxy.through(hosts.gateway.url) + path.slice(1) + at;

  beforeAll(async () => {
    proxy = await TcpProxy.start(Number(new URL(hosts.gateway.url).port));
    admin = await ApiClient.login(hosts.gateway.url, ADMIN);
    member = await ApiClient.login(hosts.gateway.url, MEMBER);
    for (const { id, name } of await admin.json<{ id: string; name: string }[]>('GET', '/organizations'))
      ids.set(name, id);
    // More than a page of them.
    await sendErrors(...Array.from({ length: 30 }, () => `seed ${unique()}`));
    for (const app of apps) {
      const page = await listening();
      await page.goto(address(app));
      await signIn(page, ADMIN);
      pages.set(app.name, page);
    }
  });
  afterAll(() => proxy?.stop());

  let made = 0;
  const unique = () => inLetters((made += 1));
  const sendErrors = (...messages: readonly string[]) =>
    new ApiClient(hosts.gateway.url, sampleToken.storefront).json(
      'POST',
      '/events',
      messages.map((message) => ({ type: 'error', message })),
    );
  const newError = () => sendErrors(`new ${unique()}`);
  const listed = async (organization: string | undefined, page = 1) =>
    (
      await admin.json<{ title: string; total_occurrences: number }[]>(
        'GET',
        `/organizations/${organization}/stacks?limit=25&page=${page}`,
      )
    ).map((one) => ({ title: one.title, occurrences: one.total_occurrences.toLocaleString('en') }));
  const showsList = async (page: Page, organization = acme(), number = 1) =>
    expect.poll(() => rows(page)).toEqual(await listed(organization, number));
  const names = async (of: ApiClient) =>
    (await of.json<{ name: string }[]>('GET', '/organizations?limit=100')).map(({ name }) => name);
  const organizations = (page: Page) => page.getByLabel('Organization').locator('option').allTextContents();
  const open = async (page: Page, app: App, at = '') => {
    // A new fragment alone would not reload the app.
    await page.goto('about:blank');
    await page.goto(address(app, at));
    await connection(page, 'open');
  };
  /** Navigates without reloading the app. */
  const go = async (page: Page, app: App, at = '') => {
    const address = at === '' ? app.path : `${app.path}${app.name === 'legacy' ? '#!/' : ''}${at}`;
    await page.evaluate((href) => {
      const link = Object.assign(document.createElement('a'), { href });
      document.body.append(link);
      link.click();
      link.remove();
    }, address);
  };
  /** Creates a stack for one test. */
  const newStack = async () => {
    const message = `stack ${unique()}`;
    await sendErrors(message);
    const all = await admin.json<{ id: string; title: string }[]>('GET', `/organizations/${acme()}/stacks`);
    stack = { id: all.find(({ title }) => title === message)?.id ?? '', again: () => sendErrors(message) };
  };
  let notice = '';
  let stack: { readonly id: string; readonly again: () => Promise<unknown> };
  const openStack = (page: Page, app: App) => go(page, app, `stacks/${stack.id}`);
  let organization: string;
  const newOrganization = async () => {
    const made = await admin.json<{ id: string }>('POST', '/organizations', { name: `Own ${unique()}` });
    organization = made.id;
  };
  const openOrganization = (page: Page, app: App) => go(page, app, `organizations/${organization}`);

  /** The list of Acme's stacks, and an error that is added to it. */
  const list: Pick<Point, 'held' | 'change' | 'told' | 'seen'> = {
    held: ofAcme,
    change: newError,
    told: 'StackChanged',
    seen: (page) => showsList(page),
  };

  const points: readonly Point[] = [
    {
      ...list,
      at: 'first list',
      ask: open,
    },
    {
      ...list,
      at: 'list after signing in',
      ask: async (page, app) => {
        await page.evaluate(() => localStorage.removeItem('crossfade.token'));
        await page.goto('about:blank');
        await page.goto(address(app));
        await signIn(page, ADMIN);
        await connection(page, 'open');
      },
    },
    {
      ...list,
      at: 'list that is read again',
      ask: newError,
    },
    {
      ...list,
      at: 'list, and the stream breaks meanwhile',
      ask: newError,
      change: async () => {
        proxy.cut();
        await newError();
        proxy.mend();
      },
    },
    {
      ...list,
      at: 'next page of a list',
      held: () => /\/stacks\?.*page=2/,
      ask: async (page, app) => {
        await go(page, app);
        await page.getByRole('button', { name: 'Next' }).click();
      },
      seen: (page) => showsList(page, acme(), 2),
    },
    {
      ...list,
      at: 'filtered list',
      app: 'modern',
      held: () => /\/stacks\?.*status=open/,
      ask: async (page, app) => {
        await go(page, app);
        await page.getByLabel('Status').selectOption('open');
      },
    },
    {
      at: 'list of another organization',
      held: () => ofGlobex(),
      ask: async (page, app) => {
        await go(page, app);
        await page.getByLabel('Organization').selectOption({ label: 'Globex' });
      },
      change: () =>
        new ApiClient(hosts.gateway.url, sampleToken.intranet).json('POST', '/events', {
          type: 'error',
          message: `of Globex ${unique()}`,
        }),
      told: 'StackChanged',
      seen: async (page) => {
        await showsList(page, globex());
        await page.getByLabel('Organization').selectOption({ label: 'Acme' });
      },
    },
    {
      at: 'stack',
      prepare: newStack,
      held: () => new RegExp(`/api/v2/stacks/${stack.id}$`),
      ask: openStack,
      change: () => stack.again(),
      told: 'StackChanged',
      seen: (page) => page.locator('[data-occurrences]').getByText('2', { exact: true }).waitFor(SOON),
    },
    {
      at: 'events of a stack',
      prepare: newStack,
      held: () => new RegExp(`/stacks/${stack.id}/events`),
      ask: openStack,
      change: () => stack.again(),
      told: 'PersistentEventChanged',
      seen: (page) => expect.poll(() => page.getByTestId('events').locator('details').count()).toBe(2),
    },
    {
      at: 'stack whose page is left meanwhile and opened again',
      app: 'modern',
      prepare: newStack,
      held: () => new RegExp(`/api/v2/stacks/${stack.id}$`),
      ask: async (page, app) => {
        await go(page, app);
        await page.locator(`[data-stack="${stack.id}"] a`).click();
        await page.getByText('Loading the stack').waitFor();
        await page.getByRole('link', { name: 'All stacks' }).click();
      },
      change: () => stack.again(),
      told: 'StackChanged',
      seen: async (page) => {
        await page.locator(`[data-stack="${stack.id}"] a`).click();
        await page
          .getByTestId('stack')
          .locator('[data-occurrences]')
          .getByText('2', { exact: true })
          .waitFor(SOON);
      },
    },
    {
      at: 'list of organizations',
      held: () => /\/organizations\?/,
      ask: open,
      change: () => admin.json('POST', '/organizations', { name: `Made ${unique()}` }),
      told: 'UserMembershipChanged',
      seen: async (page) => {
        const all = await names(admin);
        await expect.poll(() => organizations(page)).toEqual(all);
      },
    },
    {
      at: 'system notification',
      held: () => /\/notifications\/system/,
      ask: open,
      change: () => admin.json('POST', '/notifications/system', { value: `Notice ${(notice = unique())}` }),
      told: 'SystemNotification',
      seen: (page) => page.getByTestId('system-notification').getByText(`Notice ${notice}`).waitFor(SOON),
    },
    {
      at: 'plan of an organization',
      app: 'legacy',
      held: () => new RegExp(`/api/v2/organizations/${acme()}$`),
      ask: open,
      change: () => admin.json('POST', `/organizations/${acme()}/change-plan?planId=free`),
      told: 'PlanChanged',
      seen: async (page) => {
        await page.getByTestId('free-plan').waitFor(SOON);
        await admin.json('POST', `/organizations/${acme()}/change-plan?planId=unlimited`);
      },
    },
    {
      at: 'plan of an organization',
      app: 'modern',
      prepare: newOrganization,
      held: () => new RegExp(`/api/v2/organizations/${organization}$`),
      ask: openOrganization,
      change: () => admin.json('POST', `/organizations/${organization}/change-plan?planId=small`),
      told: 'PlanChanged',
      seen: (page) => page.locator('input[value=small]:checked').waitFor(SOON),
    },
    {
      at: 'projects of an organization',
      app: 'modern',
      prepare: newOrganization,
      held: () => new RegExp(`/organizations/${organization}/projects`),
      ask: openOrganization,
      change: () => admin.json('POST', '/projects', { organization_id: organization, name: 'Anew' }),
      told: 'ProjectChanged',
      seen: (page) => page.getByTestId('projects').getByText('Anew').waitFor(SOON),
    },
    {
      at: 'members of an organization',
      app: 'modern',
      prepare: newOrganization,
      held: () => new RegExp(`/organizations/${organization}/users`),
      ask: openOrganization,
      change: () => makeMember(admin, organization, { email: MEMBER, as: member }),
      told: 'UserMembershipChanged',
      seen: async (page) => {
        await page.getByTestId('members').getByText(MEMBER).waitFor(SOON);
        await admin.json('DELETE', `/organizations/${organization}/users/${MEMBER}`);
      },
    },
    {
      at: 'tokens of services',
      app: 'modern',
      held: () => /\/tokens\?/,
      ask: (page, app) => go(page, app, 'administration'),
      change: () =>
        admin.json('POST', '/tokens', { scopes: ['push:publish'], organization_id: globex(), notes: 'Told' }),
      told: 'TokenChanged',
      seen: (page) => page.getByTestId('service-tokens').getByText('Told').waitFor(SOON),
    },
    {
      // No message announces an invitation.
      at: 'list that the page itself adds to',
      app: 'modern',
      prepare: newOrganization,
      held: () => new RegExp(`/organizations/${organization}/invitations`),
      ask: openOrganization,
      change: async (page) => {
        await page.getByLabel('Address to invite').fill('guest@example.com');
        const made = page.waitForResponse((answer) => answer.request().method() === 'POST');
        await page.getByRole('button', { name: 'Invite' }).click();
        await made;
      },
      seen: (page) => page.getByTestId('invitations').locator('li').waitFor(SOON),
    },
    {
      at: 'sessions',
      app: 'modern',
      held: () => /\/users\/me\/tokens/,
      ask: async (page, app) => {
        other = await ApiClient.login(hosts.gateway.url, ADMIN);
        await go(page, app, 'sessions');
      },
      change: () => other.call('POST', '/auth/logout'),
      told: 'TokenChanged',
      seen: async (page) => {
        const { length } = await admin.json<unknown[]>('GET', '/users/me/tokens?limit=100');
        await expect.poll(() => page.getByTestId('sessions').locator('li').count()).toBe(length);
      },
    },
  ];

  describe.each(apps)('in the $name app', (app) => {
    const own = () => pages.get(app.name) as Page;
    const gathered = () =>
      new Promise((resolve) => setTimeout(resolve, app.name === 'legacy' ? GATHERED_MS : 0));

    it.each(points.filter((point) => point.app === undefined || point.app === app.name))(
      '$at',
      async (point) => {
        const page = own();
        if (point.prepare !== undefined) {
          await point.prepare();
          await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
        }
        const answer = await HeldAnswer.of(page, point.held());
        await point.ask(page, app);
        await answer.made();
        if (point.told === undefined) await point.change(page);
        else await untilHeard(page, point.told, () => point.change(page));
        await gathered();
        await answer.release();
        await point.seen(page);
      },
    );

    it('first list, with a change before the stream opens', async () => {
      const page = own();
      const mayStream = Promise.withResolvers<void>();
      await page.route(
        /\/api\/v2\/push(\?|\/settings)/,
        async (route) => {
          await mayStream.promise;
          await route.continue();
        },
        { times: 1 },
      );
      const answer = await HeldAnswer.of(page, ofAcme());
      await page.goto('about:blank');
      await page.goto(address(app));
      await answer.made();
      await newError();
      mayStream.resolve();
      await connection(page, 'open');
      await gathered();
      await answer.release();
      await showsList(page);
    });

    it('is not shown for another organization', async () => {
      const page = own();
      await go(page, app);
      await showsList(page);
      const [old, next] = [await HeldAnswer.of(page, ofAcme()), await HeldAnswer.of(page, ofGlobex())];
      await newError();
      await old.made();
      await page.getByLabel('Organization').selectOption({ label: 'Globex' });
      await next.made();
      expect(await rows(page)).toEqual([]);
      await old.release();
      expect(await rows(page)).toEqual([]);
      await next.release();
      await showsList(page, globex());
      await page.getByLabel('Organization').selectOption({ label: 'Acme' });
    });

    it('is neither shown to another account nor ends its session', async () => {
      const page = await listening();
      await page.goto(address(app));
      const before = await ApiClient.login(hosts.gateway.url, ADMIN);
      /** As when someone signs in in another tab. */
      const becomes = async ({ token }: ApiClient) => {
        const tab = await page.context().newPage();
        await tab.goto(proxy.through(`${hosts.gateway.url}/favicon.svg`));
        await tab.evaluate((value) => localStorage.setItem('crossfade.token', value ?? ''), token);
        await tab.close();
      };
      await becomes(before);
      await showsList(page);
      await connection(page, 'open');
      const list = await HeldAnswer.of(page, ofAcme());
      await newError();
      await list.made();
      const asked = Promise.withResolvers<void>();
      const mayAsk = Promise.withResolvers<void>();
      const refused = Promise.withResolvers<number>();
      await page.route(
        /\/organizations\?/,
        async (route) => {
          asked.resolve();
          await mayAsk.promise;
          const response = await route.fetch();
          await route.fulfill({ response }).catch(() => undefined);
          refused.resolve(response.status());
        },
        { times: 1 },
      );
      await before.json('POST', '/organizations', { name: `Made ${unique()}` });
      await asked.promise;
      await becomes(member);
      const theirs = await names(member);
      await expect.poll(() => organizations(page)).toEqual(theirs);
      await before.call('POST', '/auth/logout');
      mayAsk.resolve();
      expect(await refused.promise).toBe(401);
      await list.release();
      await showsList(page);
      expect(await organizations(page)).toEqual(theirs);
      await page.context().close();
    });
  });
});
