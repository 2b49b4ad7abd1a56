import { ApiClient, invite, sampleToken, secretOf } from '@crossfade/test-hosts';
import type { BrowserContextOptions, Page } from 'playwright-core';
import type { Browsing } from './browser.ts';
import { apps, connection, sendError, signIn } from './browser.ts';

type App = (typeof apps)[number]['name'];

/** How a page may look. */
interface Look {
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

/** Where the tour is. */
interface Place {
  readonly page: Page;
  readonly url: string;
  readonly gateway: string;
  readonly admin: ApiClient;
}
type Go = (place: Place) => Promise<unknown>;

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
/** Usage is counted by the hour, and a tour may see the next one. */
const overLimit =
  (list: Go): Go =>
  async (place) => {
    const events = Array.from({ length: 250 }, () => ({ type: 'error', message: 'The printer is on fire' }));
    const intranet = new ApiClient(place.gateway, sampleToken.intranet);
    for (const half of [events, events]) await intranet.call('POST', '/events', half);
    await list(place);
  };
const stack: Go = async (place) => {
  const acme = await idOf(place.admin, '/organizations', 'Acme');
  const id = await idOf(place.admin, `/organizations/${acme}/stacks`, title);
  await at(`${place.page.url().includes('/next') ? '' : '#!/'}stacks/${id}`, (page) =>
    page.locator('[data-testid=events] details').first().waitFor(),
  )(place);
};
const project: Go = async (place) =>
  at(`projects/${await idOf(place.admin, '/projects', 'Storefront')}`, shows('push:subscribe'))(place);
const organizationOf =
  (name: string, ready: (page: Page) => Promise<unknown>): Go =>
  async (place) =>
    at(`organizations/${await idOf(place.admin, '/organizations', name)}`, ready)(place);
const withInvitation: Go = async (place) => {
  const id = await idOf(place.admin, '/organizations', 'Globex');
  await invite(place.admin, id, 'a.rather.long.address.of.somebody@subdomain.example.com');
  await organizationOf('Globex', shows('a.rather.long.address'))(place);
};
/** An invitation to whom the tour signs in: from somebody else, to their organization. */
const invited: Go = async (place) => {
  const member = await ApiClient.login(place.gateway, 'member@crossfade.test');
  const mine = await member.json<{ id: string; name: string }[]>('GET', '/organizations');
  const { id } =
    mine.find(({ name }) => name === 'Umbrella Research') ??
    (await member.json<{ id: string }>('POST', '/organizations', { name: 'Umbrella Research' }));
  await invite(member, id, 'admin@crossfade.test');
  await at('organizations', shows('Invitations to you'))(place);
};
const invitation: Go = async (place) => {
  const id = await idOf(place.admin, '/organizations', 'Globex');
  const { link } = await invite(place.admin, id, 'new@example.com');
  await at(`invitation#${secretOf(link)}`, shows('Join Globex'))(place);
};
/** Without the server, the page cannot say what the link is for. */
const invitationFailed: Go = async (place) => {
  await place.page.route('**/invitations/read', (route) => route.abort());
  await at('invitation#unread', shows('Could not load the invitation'))(place);
  await place.page.unroute('**/invitations/read');
};
const then =
  (first: Go, act: (page: Page) => Promise<unknown>): Go =>
  async (place) => {
    await first(place);
    await act(place.page);
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

/** What everyone is told, above the page that `first` goes to. */
const told = (first: Go): Readonly<Record<string, Go>> => ({
  'system-notification-info': async (place) => {
    await first(place);
    await connection(place.page, 'open');
    await withNotification('Maintenance at noon, for about ten minutes.', 'Info')(place);
  },
  'system-notification-warning': withNotification('Maintenance begins soon.', 'Warning'),
  'system-notification-error': withNotification('Events arrive late.', 'Error'),
  release: async (place) => {
    await noNotification(place);
    await release(false)(place);
  },
  'release-critical': release(true),
});

/** Pages for who is not signed in. */
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

/** Pages and states for who is. Each finds its own way; what changes the world for the others comes last. */
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
    'administration-locked': async (place) => {
      const [locked] = await place.admin.json<{ id: string }[]>('GET', '/users?q=locked@');
      await place.admin.json('POST', `/users/${locked?.id}/lock`);
      await at('administration', shows('locked@example.com'))(place);
    },
    'administration-new-token': then(at('administration', shows('Service tokens')), async (page) => {
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

/** Sends what the tour's pages show. */
export async function prepareTour(url: string): Promise<void> {
  for (const kind of ['checkout', 'search', 'checkout', 'payment', 'checkout']) await sendError(url, kind);
  const admin = await ApiClient.login(url, 'admin@crossfade.test');
  await admin.json('POST', '/organizations', { name: 'Initech' });
  const account = { email: 'locked@example.com', password: 'plain otters juggle', full_name: 'Lou Locked' };
  await new ApiClient(url, undefined).json('POST', '/auth/signup', account);
}

/** Goes to every page and state of both apps, once in each look, and lets `look` see it. */
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
