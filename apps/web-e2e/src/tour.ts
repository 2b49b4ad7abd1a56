import { ApiClient, invite, sampleToken, secretOf } from '@crossfade/test-hosts';
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { Browsing } from './browser.ts';
import { apps, connection, sendError, signIn } from './browser.ts';

type App = (typeof apps)[number]['name'];

/** The looks of a page. */
export interface Look {
  readonly suffix: string;
  readonly apps: readonly App[];
  readonly options: BrowserContextOptions;
}

export const desktop: Look = { suffix: '', apps: ['modern', 'legacy'], options: {} };
export const dark: Look = { suffix: '-dark', apps: ['modern'], options: { colorScheme: 'dark' } };
export const phone: Look = {
  suffix: '-phone',
  apps: ['modern', 'legacy'],
  options: { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true },
};

/** The hosts and data of a tour. */
interface Scene {
  readonly page: Page;
  readonly url: string;
  readonly gateway: string;
  readonly admin: ApiClient;
}
type Go = (scene: Scene) => Promise<unknown>;

const title = 'Cannot read properties';
const at = (path: string, ready: (page: Page) => Promise<unknown>): Go => {
  return async ({ page, url }) => {
    await page.goto('about:blank');
    await page.goto(`${url}${path}`);
    await ready(page);
  };
};
const shows = (text: string | RegExp) => (page: Page) => page.getByText(text).first().waitFor();
const idOf = async (admin: ApiClient, list: string, name: string) =>
  (await admin.json<{ id: string; name?: string; title?: string }[]>('GET', list)).find(
    (one) => one.name === name || one.title?.startsWith(name),
  )?.id ?? '';
const stacksOf =
  (name: string, text: string): Go =>
  async ({ page, url }) => {
    await page.goto(`${url}`);
    await page.getByLabel('Organization', { exact: true }).selectOption({ label: name });
    await shows(text)(page);
  };
const legacyStacksOf =
  (name: string, text: string): Go =>
  async ({ page, url }) => {
    await page.goto(`${url}#!/`);
    await page.getByLabel('Organization').selectOption({ label: name });
    await shows(text)(page);
  };
/** Usage is counted by the hour, and a tour may last into the next hour. */
const overLimit =
  (list: Go): Go =>
  async (scene) => {
    const events = Array.from({ length: 250 }, () => ({ type: 'error', message: 'The printer is on fire' }));
    const intranet = new ApiClient(scene.gateway, sampleToken.intranet);
    for (const half of [events, events]) await intranet.call('POST', '/events', half);
    await list(scene);
  };
const stack: Go = async (scene) => {
  const acme = await idOf(scene.admin, '/organizations', 'Acme');
  const id = await idOf(scene.admin, `/organizations/${acme}/stacks`, title);
  await at(`${scene.page.url().includes('/next') ? '' : '#!/'}stacks/${id}`, (page) =>
    page.locator('[data-testid=events] details').first().waitFor(),
  )(scene);
};
const project: Go = async (scene) =>
  at(`projects/${await idOf(scene.admin, '/projects', 'Storefront')}`, shows('push:subscribe'))(scene);
const organizationOf =
  (name: string, ready: (page: Page) => Promise<unknown>): Go =>
  async (scene) =>
    at(`organizations/${await idOf(scene.admin, '/organizations', name)}`, ready)(scene);
const withInvitation: Go = async (scene) => {
  const id = await idOf(scene.admin, '/organizations', 'Globex');
  await invite(scene.admin, id, 'a.rather.long.address.of.somebody@subdomain.example.com');
  await organizationOf('Globex', shows('a.rather.long.address'))(scene);
};
/** Invites the person of the tour to somebody else's organization. */
const invited: Go = async (scene) => {
  const member = await ApiClient.login(scene.gateway, 'member@crossfade.test');
  const mine = await member.json<{ id: string; name: string }[]>('GET', '/organizations');
  const { id } =
    mine.find(({ name }) => name === 'Umbrella Research') ??
    (await member.json<{ id: string }>('POST', '/organizations', { name: 'Umbrella Research' }));
  await invite(member, id, 'admin@crossfade.test');
  await at('organizations', shows('Invitations to you'))(scene);
};
const invitation: Go = async (scene) => {
  const id = await idOf(scene.admin, '/organizations', 'Globex');
  const { link } = await invite(scene.admin, id, 'new@example.com');
  await at(`invitation#${secretOf(link)}`, shows('Join Globex'))(scene);
};
/** Without the server, the page cannot show what the link is for. */
const invitationFailed: Go = async (scene) => {
  await scene.page.route('**/invitations/read', (route) => route.abort());
  await at('invitation#unread', shows('Could not load the invitation'))(scene);
  await scene.page.unroute('**/invitations/read');
};
const then =
  (first: Go, act: (page: Page) => Promise<unknown>): Go =>
  async (scene) => {
    await first(scene);
    await act(scene.page);
  };
const withNotification =
  (value: string, level: string): Go =>
  async ({ page, admin }) => {
    await admin.json('POST', '/notifications/system', { value, level });
    await page.getByTestId('system-notification').getByText(value).waitFor();
  };
const noNotification: Go = async ({ page, admin }) => {
  await admin.json('DELETE', '/notifications/system');
  await page.getByTestId('system-notification').waitFor({ state: 'detached' });
};
const release =
  (critical: boolean): Go =>
  async ({ page, admin }) => {
    await admin.json('POST', `/notifications/release?critical=${critical}`, { value: 'Lists are faster.' });
    await page.getByTestId('release-notification').getByText('Lists are faster.').waitFor();
  };

/** Announcements to everyone, above the page that `first` opens. */
const told = (first: Go): Readonly<Record<string, Go>> => ({
  'system-notification-info': async (scene) => {
    await first(scene);
    await connection(scene.page, 'open');
    await withNotification('Maintenance at noon, for about ten minutes.', 'Info')(scene);
  },
  'system-notification-warning': withNotification('Maintenance begins soon.', 'Warning'),
  'system-notification-error': withNotification('Events arrive late.', 'Error'),
  release: async (scene) => {
    await noNotification(scene);
    await release(false)(scene);
  },
  'release-critical': release(true),
});

/** Pages for visitors who are not signed in. */
const outside: Readonly<Record<App, Readonly<Record<string, Go>>>> = {
  modern: {
    'sign-in': at('login', shows('Sign in')),
    'sign-in-refused': then(at('login', shows('Sign in')), async (page) => {
      await page.getByLabel('E-mail').fill('admin@crossfade.test');
      await page.getByLabel('Password').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').waitFor();
    }),
    'sign-up': at('signup', shows('Create the account')),
    invitation,
    'invitation-sign-up': then(invitation, (page) =>
      page.getByRole('link', { name: 'Create an account' }).click(),
    ),
    'invitation-ended': at('invitation#no-such', shows('This invitation is not open')),
    'invitation-failed': invitationFailed,
    'invitation-none': at('invitation', shows('There is no invitation here')),
    'reset-password': at('reset-password#no-such', shows('New password')),
    'reset-password-refused': then(at('reset-password#no-such', shows('New password')), async (page) => {
      await page.getByLabel('New password').fill('plain otters juggle');
      await page.getByRole('button', { name: 'Set the password' }).click();
      await page.getByRole('alert').waitFor();
    }),
  },
  legacy: { 'sign-in': at('#!/login', shows('Password')) },
};

/** Pages and states for a signed-in person. Each navigates by itself; those that change data of the others come last. */
const inside: Readonly<Record<App, Readonly<Record<string, Go>>>> = {
  modern: {
    stacks: stacksOf('Acme', title),
    'stacks-nothing-found': at('?q=nowhere', shows('No matches')),
    'stacks-empty': stacksOf('Initech', 'has no project yet'),
    'stacks-over-limit': overLimit(stacksOf('Globex', 'over its hourly limit')),
    stack,
    'stack-status-menu': then(stack, (page) => page.getByRole('button', { name: 'Change status' }).click()),
    'stack-delete': then(stack, (page) => page.getByRole('button', { name: 'Delete' }).click()),
    'stack-missing': at(`stacks/${crypto.randomUUID()}`, shows('There is no such stack')),
    organizations: at('organizations', shows('Globex')),
    organization: organizationOf('Acme', shows('member@crossfade.test')),
    'organization-missing': at(
      `organizations/${crypto.randomUUID()}`,
      shows('There is no such organization'),
    ),
    'organization-no-invitations': organizationOf('Initech', shows('No open invitations')),
    'organization-new-invitation': then(withInvitation, async (page) => {
      await page.getByLabel('Address to invite').fill('new@example.com');
      await page.getByRole('button', { name: 'Invite' }).click();
      await page.getByLabel('Link of the new invitation').waitFor();
    }),
    'organizations-invited': invited,
    'invitation-signed-in': invitation,
    project,
    'project-new-token': then(project, async (page) => {
      await page.getByLabel('Note for a new token').fill('The shop');
      await page.getByRole('button', { name: 'Create a token' }).click();
      await page.getByLabel('The new token').waitFor();
    }),
    sessions: at('sessions', shows('(this one)')),
    account: at('account', shows('Change the password')),
    'account-refused': then(at('account', shows('Change the password')), async (page) => {
      await page.getByLabel('Current password').fill('wrong');
      await page.getByLabel('New password').fill('plain otters juggle');
      await page.getByRole('button', { name: 'Change the password' }).click();
      await page.getByRole('alert').waitFor();
    }),
    administration: at('administration', shows('member@crossfade.test')),
    'administration-nobody': then(at('administration', shows('member@crossfade.test')), async (page) => {
      await page.getByLabel('Search accounts').fill('nowhere');
      await shows('No account matches')(page);
    }),
    'administration-link': then(at('administration', shows('member@crossfade.test')), async (page) => {
      await page.getByRole('button', { name: 'Password link for member' }).click();
      await page.getByLabel('Link to set a password').waitFor();
    }),
    'administration-locked': async (scene) => {
      const [locked] = await scene.admin.json<{ id: string }[]>('GET', '/users?q=locked@');
      await scene.admin.json('POST', `/users/${locked?.id}/lock`);
      await at('administration', shows('locked@example.com'))(scene);
    },
    'administration-new-token': then(at('administration', shows('member@crossfade.test')), async (page) => {
      // A list that appears above a button moves it away from a click.
      await page.getByText('Loading').first().waitFor({ state: 'detached' });
      await page.getByLabel('Note for a new service token').fill('The billing service');
      await page.getByRole('button', { name: 'Create a token' }).click();
      await page.getByLabel('The new service token').waitFor();
    }),
    notifications: at('notifications', shows('None is shown')),
    'account-menu': then(stacksOf('Acme', title), (page) =>
      page.getByRole('button', { name: 'Account' }).click(),
    ),
    ...told(stacksOf('Acme', title)),
  },
  legacy: {
    stacks: legacyStacksOf('Acme', title),
    'stacks-no-project': legacyStacksOf('Initech', 'has no project yet'),
    'stacks-over-limit': overLimit(legacyStacksOf('Globex', 'over its hourly limit')),
    stack: then(legacyStacksOf('Acme', title), async (page) => {
      await page.getByRole('link', { name: title }).click();
      await page.locator('[data-testid=events] details').first().waitFor();
    }),
    'stack-missing': at(`#!/stacks/${crypto.randomUUID()}`, shows('There is no such stack')),
    ...told(legacyStacksOf('Acme', title)),
  },
};

/** Sends the data that the tour's pages show. */
export async function prepareTour(url: string): Promise<void> {
  for (const kind of ['checkout', 'search', 'checkout', 'payment', 'checkout']) await sendError(url, kind);
  const admin = await ApiClient.login(url, 'admin@crossfade.test');
  await admin.json('POST', '/organizations', { name: 'Initech' });
  const account = { email: 'locked@example.com', password: 'plain otters juggle', full_name: 'Lou Locked' };
  await new ApiClient(url, undefined).json('POST', '/auth/signup', account);
}

/** Opens every page and state of both apps, once in each look, and calls `look` for it. */
export async function takeTour(
  gateway: string,
  browsing: Browsing,
  looks: readonly Look[],
  look: (page: Page, name: string) => Promise<void>,
): Promise<void> {
  const admin = await ApiClient.login(gateway, 'admin@crossfade.test');
  for (const { suffix, apps: named, options } of looks) {
    for (const { name: app, path } of apps.filter(({ name }) => named.includes(name))) {
      const url = `${gateway}${path}`;
      const page = await browsing.window(url, options);
      for (const [name, go] of Object.entries(outside[app])) {
        await go({ page, url, gateway, admin });
        await look(page, `${app}-${name}${suffix}`);
      }
      await page.goto(url);
      await signIn(page, 'admin@crossfade.test');
      for (const [name, go] of Object.entries(inside[app])) {
        await go({ page, url, gateway, admin });
        await look(page, `${app}-${name}${suffix}`);
      }
      await page.context().close();
    }
  }
}
