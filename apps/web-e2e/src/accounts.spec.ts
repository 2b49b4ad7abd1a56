import { ApiClient, invite, secretOf } from '@crossfade/test-hosts';
import type { Page } from 'playwright-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connection, signIn } from './browser.ts';
import { startReplicatedHosts } from './hosts.ts';

const ADMIN = 'admin@crossfade.test';
const MEMBER = 'member@crossfade.test';
const PASSWORD = 'plain otters juggle';
const NEW_PASSWORD = 'quiet badgers whistle';
/** Documented: a change is on every screen within a second. The test allows five times that. */
const BOUND_MS = 5 * 1000;

describe('people who come and go', () => {
  const hosts = startReplicatedHosts({ ENABLE_SIGNUP: 'true' });
  let admin: ApiClient;
  beforeAll(async () => {
    admin = await ApiClient.login(hosts.replicas.third.url, ADMIN);
  });
  afterEach(() => {
    expect(hosts.browsing.errors.splice(0)).toEqual([]);
  });

  const organization = async (name: string) =>
    (await admin.json<{ id: string }>('POST', '/organizations', { name })).id;
  const url = (path: string) => `${hosts.replicas.modern.url}${path}`;
  const newcomer = async (email: string) => {
    const account = { email, password: PASSWORD, full_name: 'Ned New' };
    const anyone = new ApiClient(hosts.replicas.third.url, undefined);
    const { token } = await anyone.json<{ token: string }>('POST', '/auth/signup', account);
    return new ApiClient(hosts.replicas.third.url, token);
  };
  const field = (page: Page, label: string) => page.getByLabel(label, { exact: true });

  /** Neither the URL, the history and the title nor the browser's storage has the secret. */
  async function expectForgotten(page: Page, secret: string): Promise<void> {
    expect(page.url()).not.toContain('#');
    expect(await page.title()).not.toContain(secret);
    const kept = await page.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state]),
    );
    expect(kept).not.toContain(secret);
    const { entries } = await (await page.context().newCDPSession(page)).send('Page.getNavigationHistory');
    // What somebody typed into the address bar belongs to the browser; the page's own history entries do not.
    for (const { url, title } of entries) expect(`${url} ${title}`).not.toContain(secret);
  }

  it('an invitation is accepted by its link: after signing in', async () => {
    const { link } = await invite(admin, await organization('Umbrella'), 'another@example.com');
    const page = await hosts.browsing.window(url(link));
    await page.getByRole('heading', { name: 'Join Umbrella' }).waitFor();
    await page.getByText('Ada Admin invites you').waitFor();
    await expectForgotten(page, secretOf(link));
    await page.getByRole('link', { name: 'Sign in to accept' }).click();
    await page.getByLabel('E-mail').fill(MEMBER);
    await page.getByLabel('Password').fill('tester');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Accept' }).click();
    await page.getByRole('heading', { level: 1, name: 'Umbrella' }).waitFor();
    await page.getByTestId('members').getByText(MEMBER).waitFor();
    await expectForgotten(page, secretOf(link));
    await page.context().close();
  });

  it('an invitation is accepted by its link: by making an account', async () => {
    const { link } = await invite(admin, await organization('Stark'), 'ned@example.com');
    const page = await hosts.browsing.window(url(link));
    await page.getByRole('link', { name: 'Create an account' }).click();
    await page.getByText('Creating the account accepts the invitation').waitFor();
    await page.getByLabel('Name').fill('Ned New');
    await page.getByLabel('E-mail').fill('ned@example.com');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Create the account' }).click();
    await page
      .getByLabel('Organization')
      .locator('option', { hasText: 'Stark' })
      .waitFor({ state: 'attached' });
    await page.context().close();
  });

  it('an invitation is made, shown once and withdrawn, and its link then says so', async () => {
    const id = await organization('Wayne');
    const modern = await hosts.browsing.signedIn(url('/next/'), ADMIN);
    await modern.goto(url(`/next/organizations/${id}`));
    await modern.getByText('No open invitations').waitFor();
    await modern.getByLabel('Address to invite').fill('Someone@Example.com');
    await modern.getByRole('button', { name: 'Invite' }).click();
    const link = (await modern.getByLabel('Link of the new invitation').textContent())?.trim() ?? '';
    expect(link.startsWith(url('/next/invitation#'))).toBe(true);
    const guest = await hosts.browsing.window(link);
    await guest.getByRole('heading', { name: 'Join Wayne' }).waitFor();
    await modern.reload();
    await modern.getByTestId('invitations').getByText('someone@example.com').waitFor();
    expect(await modern.content()).not.toContain(secretOf(link));
    await modern.getByRole('button', { name: 'Withdraw' }).click();
    await modern.getByRole('alertdialog').getByRole('button', { name: 'Withdraw' }).click();
    await modern.getByText('No open invitations').waitFor();
    // The same page again, from the address bar.
    await guest.goto(url('/next/invitation'));
    await guest.getByText('There is no invitation here').waitFor();
    await guest.goto(link);
    await guest.getByText('This invitation is not open').waitFor();
    await expectForgotten(guest, secretOf(link));
    await Promise.all([modern, guest].map((page) => page.context().close()));
    // The console error of the refusal that was shown.
    hosts.browsing.errors.splice(0);
  });

  it('an invitation is declined, and those who invited see no change', async () => {
    const id = await organization('Hooli');
    const as = await newcomer('dee@example.com');
    await invite(admin, id, 'dee@example.com');
    const page = await hosts.browsing.window(url('/next/'));
    await page.getByLabel('E-mail').fill('dee@example.com');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: /Organizations\s*1 invitation/ }).click();
    await page.getByTestId('received-invitations').getByText('Hooli').waitFor();
    await page.getByRole('button', { name: 'Decline' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Decline' }).click();
    await page.getByTestId('received-invitations').waitFor({ state: 'detached' });
    expect(await as.json('GET', '/organizations')).toEqual([]);
    expect(await admin.json('GET', `/organizations/${id}/invitations`)).toHaveLength(1);
    await page.context().close();
  });

  it('a password is changed: the other browser is signed out, this one stays', async () => {
    await newcomer('carl@example.com');
    const [page, other] = (await Promise.all(
      [hosts.replicas.modern, hosts.replicas.legacy].map(async (replica) => {
        const window = await hosts.browsing.window(`${replica.url}/next/`);
        await signIn(window, 'carl@example.com', PASSWORD);
        await connection(window, 'open');
        return window;
      }),
    )) as [Page, Page];
    await page.getByRole('button', { name: 'Account' }).click();
    await page.getByRole('menuitem', { name: 'Account' }).click();
    await field(page, 'Current password').fill('something else');
    await page.getByLabel('New password').fill(NEW_PASSWORD);
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByRole('alert').getByText('The current password is wrong').waitFor();
    // The refusal is a console error, too.
    hosts.browsing.errors.splice(0);
    await field(page, 'Current password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Change the password' }).click();
    await page.getByText('Your password is changed').waitFor();
    await other.getByText('Your session has ended').waitFor({ timeout: BOUND_MS });
    await connection(page, 'open');
    await other.getByLabel('E-mail').fill('carl@example.com');
    await other.getByLabel('Password').fill(NEW_PASSWORD);
    await other.getByRole('button', { name: 'Sign in' }).click();
    await connection(other, 'open');
    await Promise.all([page, other].map((one) => one.context().close()));
    hosts.browsing.errors.splice(0);
  });

  it('an administrator makes a link, which sets a password once, and locks and unlocks the account', async () => {
    await newcomer('rita@example.com');
    const modern = await hosts.browsing.signedIn(url('/next/'), ADMIN);
    await modern.getByRole('link', { name: 'Administration' }).click();
    await modern.getByLabel('Search accounts').fill('RITA@');
    const row = modern.getByTestId('accounts').locator('li', { hasText: 'rita@example.com' });
    await modern.getByTestId('accounts').locator('li', { hasText: ADMIN }).waitFor({ state: 'detached' });
    await row.getByRole('button', { name: 'Password link' }).click();
    const link = (await modern.getByLabel('Link to set a password').textContent())?.trim() ?? '';
    // From another replica than the one that the administrator uses.
    const rita = await hosts.browsing.window(
      link.replace(hosts.replicas.modern.url, hosts.replicas.legacy.url),
    );
    await rita.getByLabel('New password').fill(NEW_PASSWORD);
    await expectForgotten(rita, secretOf(link));
    await rita.getByRole('button', { name: 'Set the password' }).click();
    await rita.getByText('Your password is set').waitFor();
    await rita.getByRole('link', { name: 'Sign in' }).click();
    await signIn(rita, 'rita@example.com', NEW_PASSWORD);
    await connection(rita, 'open');
    await row.getByRole('button', { name: 'Lock' }).click();
    await modern.getByRole('alertdialog').getByRole('button', { name: 'Lock' }).click();
    await rita.getByText('Your session has ended').waitFor({ timeout: BOUND_MS });
    await row.getByText('locked', { exact: true }).waitFor();
    await row.getByRole('button', { name: 'Unlock' }).click();
    await row.getByText('locked', { exact: true }).waitFor({ state: 'detached' });
    // The link was used.
    const again = await hosts.browsing.window(link);
    await again.getByLabel('New password').fill(PASSWORD);
    await again.getByRole('button', { name: 'Set the password' }).click();
    await again.getByRole('alert').getByText('The link is unknown, was used, or has expired').waitFor();
    await Promise.all([modern, rita, again].map((one) => one.context().close()));
    hosts.browsing.errors.splice(0);
  });

  it('a token of a service is made, shown once, and revoked', async () => {
    const modern = await hosts.browsing.signedIn(url('/next/'), ADMIN);
    await modern.getByRole('link', { name: 'Administration' }).click();
    await modern.getByLabel('Note for a new service token').fill('The billing service');
    await modern.getByRole('button', { name: 'Create a token' }).click();
    const token = (await modern.getByLabel('The new service token').textContent())?.trim() ?? '';
    const publish = () => new ApiClient(hosts.replicas.third.url, token).call('POST', '/push/messages', []);
    expect((await publish()).status).toBe(400);
    await modern.reload();
    const row = modern.getByTestId('service-tokens').locator('li', { hasText: 'The billing service' });
    await row.getByText('to everyone').waitFor();
    expect(await modern.content()).not.toContain(token);
    await row.getByRole('button', { name: 'Revoke' }).click();
    await modern.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
    await row.waitFor({ state: 'detached' });
    expect((await publish()).status).toBe(401);
    await modern.context().close();
  });

  it('an account is made, once its password is hard to guess', async () => {
    const page = await hosts.browsing.window(url('/next/login'));
    await page.getByRole('link', { name: 'Create one' }).click();
    await page.getByLabel('Name').fill('Nell New');
    await page.getByLabel('E-mail').fill('nell@example.com');
    await page.getByLabel('Password').fill('password1');
    await page.getByRole('button', { name: 'Create the account' }).click();
    await page.getByRole('alert').getByText('too easy to guess').waitFor();
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Create the account' }).click();
    await page.getByText('You are not in any organization').waitFor();
    await page.context().close();
    // The console error of the refusal that was shown.
    hosts.browsing.errors.splice(0);
  });
});
