import { SseProbe } from '@crossfade/protocol/testing';
import { ApiClient, inLetters, invite, sampleToken, secretOf } from '@crossfade/test-hosts';
import type { Asked } from './operations.ts';
import type { World } from './world.ts';

type Ask = (world: World) => Asked | Promise<Asked>;

/** What a route's success looks like, and how its particular refusals come about. */
export interface Exercise {
  readonly good: Ask;
  readonly is: number;
  readonly also?: Readonly<Record<number, Ask>>;
}

let lastStream: SseProbe | undefined;
let accounts = 0;
const newAccount = () => ({
  email: `new-${inLetters(++accounts)}@example.com`,
  password: 'plain otters juggle',
  full_name: 'New Person',
});
const asMember: Ask = ({ member }) => ({ as: member });
const asAdministrator: Ask = ({ admin }) => ({ as: admin });
const ofOrganization: Ask = ({ member, own }) => ({ as: member, path: { id: own.organizations } });
const ofProject: Ask = ({ member, own }) => ({ as: member, path: { id: own.projects } });
const ofStack: Ask = ({ member, own }) => ({ as: member, path: { id: own.stacks } });
const ofNewStack: Ask = async ({ member, stack }) => ({ as: member, path: { ids: await stack() } });
const fresh: Ask = async (world) => ({ as: await session(world) });

const ofSomebody = async ({ admin, somebody }: World) => ({ as: admin, path: { id: await somebody() } });
const asGuest = async ({ guest }: World) => ({ as: (await guest()).client });

/** An invitation for the guest. */
async function invited({ guest, member, own, secrets }: World) {
  const whom = await guest();
  const { id, link } = await invite(member, own.organizations, whom.email);
  const secret = secretOf(link);
  secrets.add(secret);
  return { guest: whom, id, secret };
}

/** In the guest's app, who is no member. */
async function ofInvitation(world: World) {
  const { member, own } = world;
  const { email } = await world.guest();
  await member.call('DELETE', `/organizations/${own.organizations}/users/${email}`);
  const { guest, id } = await invited(world);
  return { as: guest.client, path: { id } };
}

async function session({ url, secrets }: World) {
  const client = await ApiClient.login(url, 'member@crossfade.test');
  if (client.token !== undefined) secrets.add(client.token);
  return client;
}

/** What client libraries call. */
const ofClients: Readonly<Record<string, Exercise>> = {
  'POST /api/v2/events': {
    good: ({ client }) => ({ as: client, body: [{ message: 'one' }, { message: 'two' }] }),
    is: 202,
    also: { 402: withoutRoom },
  },
  'POST /api/v2/events/submit': {
    good: ({ client }) => ({ as: client, body: { message: 'submitted' } }),
    is: 202,
    also: { 402: withoutRoom },
  },
  'POST /api/v2/projects/{id}/events': {
    good: async (world) => ({ ...(await ofProject(world)), body: { message: 'by a member' } }),
    is: 202,
    also: {
      402: async (world) => ({
        ...(await withoutRoom(world)),
        as: world.admin,
        path: { id: world.foreign.projects },
      }),
    },
  },
  'POST /api/v2/events/by-ref/{reference_id}/user-description': {
    good: ({ client }) => ({
      as: client,
      // Each may be described a few times a minute.
      path: { reference_id: crypto.randomUUID() },
      body: { email_address: 'a@example.com', description: 'It broke.' },
    }),
    is: 202,
  },
  'GET /api/v2/events/session/heartbeat': {
    good: ({ client }) => ({ as: client, query: { id: 'abc', close: 'true' } }),
    is: 200,
  },
  'GET /api/v2/projects/config': {
    good: ({ client }) => ({ as: client, query: { v: '0' } }),
    is: 200,
    also: { 304: ({ client }) => ({ as: client, query: { v: '1' } }) },
  },
};

/** The same, where those of old call it. */
const asOld = (exercises: Readonly<Record<string, Exercise>>): Record<string, Exercise> =>
  Object.fromEntries(
    Object.entries(exercises).map(([name, exercise]) => [name.replace('/api/v2/', '/api/v1/'), exercise]),
  );

/** Every route of the API, as `docs/api.md` lists them. What has no exercise here fails the suite. */
export const exercises: Readonly<Record<string, Exercise>> = {
  'GET /health': { good: () => ({}), is: 200 },
  'GET /health/live': { good: () => ({}), is: 200 },
  'GET /health/ready': { good: () => ({}), is: 200 },

  'POST /api/v2/auth/login': {
    good: () => ({ body: { email: ' Member@Crossfade.test ', password: 'tester' } }),
    is: 200,
    also: { 401: () => ({ body: { email: 'member@crossfade.test', password: 'wrong' } }) },
  },
  'POST /api/v2/auth/signup': {
    good: () => ({ body: newAccount() }),
    is: 201,
    also: {
      404: () => ({ body: { ...newAccount(), invitation: 'no-such' } }),
      409: () => ({ body: { ...newAccount(), email: 'MEMBER@crossfade.test' } }),
    },
  },
  'GET /api/v2/auth/logout': { good: fresh, is: 204 },
  'POST /api/v2/auth/logout': { good: fresh, is: 204 },
  'GET /api/v2/users/me': { good: asMember, is: 200 },
  'POST /api/v2/users/me/password': {
    good: async (world) => {
      const { client, password } = await world.guest();
      return { as: client, body: { current_password: password, new_password: password } };
    },
    is: 204,
    also: {
      400: async (world) => ({
        ...(await asGuest(world)),
        body: { current_password: 'wrong', new_password: 'plain otters juggle' },
      }),
    },
  },
  'GET /api/v2/users': { good: ({ admin }) => ({ as: admin, query: { q: 'CROSSFADE.test' } }), is: 200 },
  'POST /api/v2/users/{id}/lock': {
    good: ofSomebody,
    is: 204,
    also: {
      409: async ({ admin }) => ({
        as: admin,
        path: { id: (await admin.json<{ id: string }>('GET', '/users/me')).id },
      }),
    },
  },
  'DELETE /api/v2/users/{id}/lock': { good: ofSomebody, is: 204 },
  'POST /api/v2/users/{id}/password-reset': { good: ofSomebody, is: 201 },
  'POST /api/v2/auth/reset-password': {
    good: async (world) => {
      const { as, path } = await ofSomebody(world);
      const reset = await as.json<{ link: string }>('POST', `/users/${path.id}/password-reset`);
      const secret = secretOf(reset.link);
      world.secrets.add(secret);
      return { body: { secret, password: 'quiet badgers whistle' } };
    },
    is: 204,
    also: { 404: () => ({ body: { secret: 'no-such', password: 'quiet badgers whistle' } }) },
  },
  'GET /api/v2/tokens': { good: asAdministrator, is: 200 },
  'GET /api/v2/users/me/tokens': { good: asMember, is: 200 },
  'GET /api/v2/projects/{id}/tokens': { good: ofProject, is: 200 },
  'POST /api/v2/projects/{id}/tokens': {
    good: async (world) => ({ ...(await ofProject(world)), body: { notes: 'CI' } }),
    is: 201,
  },
  'POST /api/v2/tokens': {
    good: ({ admin, own }) => ({
      as: admin,
      body: { scopes: ['push:publish'], organization_id: own.organizations },
    }),
    is: 201,
    also: {
      404: ({ admin }) => ({
        as: admin,
        body: { scopes: ['push:publish'], organization_id: crypto.randomUUID() },
      }),
    },
  },
  'DELETE /api/v2/tokens/{ids}': {
    good: async ({ member, projectToken }) => ({
      as: member,
      path: { ids: `${await projectToken()},${await projectToken()}` },
    }),
    is: 204,
  },

  'GET /api/v2/organizations': { good: asMember, is: 200 },
  'POST /api/v2/organizations': { good: ({ admin }) => ({ as: admin, body: { name: 'Initech' } }), is: 201 },
  'GET /api/v2/organizations/{id}': { good: ofOrganization, is: 200 },
  'GET /api/v2/organizations/{id}/plans': { good: ofOrganization, is: 200 },
  'POST /api/v2/organizations/{id}/change-plan': {
    good: async (world) => ({ ...(await ofOrganization(world)), query: { planId: 'unlimited' } }),
    is: 200,
  },
  'GET /api/v2/organizations/{id}/users': { good: ofOrganization, is: 200 },
  'POST /api/v2/organizations/{id}/users/{email}': {
    good: ({ member, own }) => ({
      as: member,
      path: { id: own.organizations, email: 'nobody@example.com' },
    }),
    is: 202,
  },
  'GET /api/v2/organizations/{id}/invitations': { good: ofOrganization, is: 200 },
  'DELETE /api/v2/organizations/{id}/invitations/{invitation_id}': {
    good: async ({ member, own }) => {
      const { id } = await invite(member, own.organizations, 'withdrawn@example.com');
      return { as: member, path: { id: own.organizations, invitation_id: id } };
    },
    is: 204,
  },
  'GET /api/v2/users/me/invitations': { good: asGuest, is: 200 },
  'POST /api/v2/users/me/invitations/{id}/accept': { good: ofInvitation, is: 200 },
  'DELETE /api/v2/users/me/invitations/{id}': { good: ofInvitation, is: 204 },
  'POST /api/v2/invitations/read': {
    good: async (world) => ({ body: { secret: (await invited(world)).secret } }),
    is: 200,
    also: { 404: () => ({ body: { secret: 'no-such' } }) },
  },
  'POST /api/v2/invitations/accept': {
    good: async (world) => {
      const { guest, secret } = await invited(world);
      return { as: guest.client, body: { secret } };
    },
    is: 200,
    also: { 404: async (world) => ({ ...(await asGuest(world)), body: { secret: 'no-such' } }) },
  },
  'DELETE /api/v2/organizations/{id}/users/{email}': {
    good: async (world) => {
      const { member, own } = world;
      const { guest, secret } = await invited(world);
      await guest.client.json('POST', '/invitations/accept', { secret });
      return { as: member, path: { id: own.organizations, email: guest.email } };
    },
    is: 204,
    also: {
      404: ({ member, own }) => ({
        as: member,
        path: { id: own.organizations, email: 'nobody@example.com' },
      }),
      409: ({ admin, foreign }) => ({
        as: admin,
        path: { id: foreign.organizations, email: 'admin@crossfade.test' },
      }),
    },
  },
  'GET /api/v2/organizations/{id}/projects': { good: ofOrganization, is: 200 },
  'GET /api/v2/projects': { good: asMember, is: 200 },
  'POST /api/v2/projects': {
    good: ({ member, own }) => ({ as: member, body: { organization_id: own.organizations, name: 'New' } }),
    is: 201,
    also: {
      404: ({ member, foreign }) => ({
        as: member,
        body: { organization_id: foreign.organizations, name: 'Foreign' },
      }),
    },
  },
  'GET /api/v2/projects/{id}': { good: ofProject, is: 200 },
  'DELETE /api/v2/projects/{id}': {
    good: async ({ member, project }) => ({ as: member, path: { id: await project() } }),
    is: 204,
  },

  ...ofClients,
  ...asOld(ofClients),

  'GET /api/v2/organizations/{id}/stacks': {
    good: async (world) => ({
      ...(await ofOrganization(world)),
      query: { q: 'made for', status: 'open', sort: 'occurrences' },
    }),
    is: 200,
  },
  'GET /api/v2/projects/{id}/stacks': { good: ofProject, is: 200 },
  'GET /api/v2/stacks/{id}': { good: ofStack, is: 200 },
  'GET /api/v2/stacks/{id}/events': { good: ofStack, is: 200 },
  'GET /api/v2/projects/{id}/events': { good: ofProject, is: 200 },
  'GET /api/v2/events/{id}': {
    good: ({ member, own }) => ({ as: member, path: { id: own.events } }),
    is: 200,
  },
  'POST /api/v2/stacks/{ids}/change-status': {
    good: async (world) => ({ ...(await ofNewStack(world)), query: { status: 'ignored' } }),
    is: 200,
  },
  'POST /api/v2/stacks/{ids}/mark-fixed': { good: ofNewStack, is: 200 },
  'POST /api/v2/stacks/{ids}/mark-snoozed': {
    good: async (world) => ({
      ...(await ofNewStack(world)),
      query: { snoozeUntilUtc: '2099-01-01T00:00:00' },
    }),
    is: 200,
  },
  'POST /api/v2/stacks/{ids}/mark-critical': { good: ofNewStack, is: 200 },
  'DELETE /api/v2/stacks/{ids}/mark-critical': { good: ofNewStack, is: 200 },
  'DELETE /api/v2/stacks/{ids}': { good: ofNewStack, is: 204 },

  'POST /api/v2/notifications/release': {
    good: ({ admin }) => ({ as: admin, query: { critical: 'true' }, body: { value: 'Version 2 is out' } }),
    is: 200,
  },
  'POST /api/v2/notifications/system': {
    good: ({ admin }) => ({ as: admin, body: { value: 'Maintenance at noon', level: 'Warning' } }),
    is: 200,
  },
  'DELETE /api/v2/notifications/system': { good: asAdministrator, is: 204 },
  'GET /api/v2/notifications/system': {
    good: async (world) => {
      await world.admin.json('POST', '/notifications/system', { value: 'Back soon', target: 'Modern' });
      return { as: world.member };
    },
    is: 200,
    also: {
      204: async (world) => {
        await world.admin.json('DELETE', '/notifications/system');
        return { as: world.member };
      },
    },
  },

  'POST /api/v2/push/messages': {
    good: (world) => ({ as: world.service, body: [published(world, 'one'), published(world, 'two')] }),
    is: 202,
    also: {
      403: (world) => ({
        as: world.service,
        body: { type: 'UserMembershipChanged', message: { ...published(world, '').message, user_id: 'u' } },
      }),
      409: async (world) => {
        const headers = { 'Idempotency-Key': crypto.randomUUID() };
        await world.service.json('POST', '/push/messages', published(world, 'first'), headers);
        return { as: world.service, body: published(world, 'another'), headers };
      },
    },
  },
  'GET /api/v2/push/connections': { good: asAdministrator, is: 200 },
  'DELETE /api/v2/push/connections/{id}': {
    good: async ({ url, admin, member }) => {
      lastStream?.close();
      lastStream = await SseProbe.open(url, { token: member.token });
      const { message } = await lastStream.message('Connected');
      const { connection_id: id } = message as { connection_id: string };
      return { as: admin, path: { id } };
    },
    is: 204,
    also: { 404: ({ admin }) => ({ as: admin, path: { id: crypto.randomUUID() } }) },
  },

  'GET /api/v2/push/settings': { good: () => ({}), is: 200 },
};

const published = ({ own }: World, said: string) => ({
  type: 'StackChanged',
  message: { type: 'Stack', organization_id: own.organizations, change_type: 1, data: { said } },
});

/** The other organization has the free plan; there is no room left after this. */
async function withoutRoom({ url }: World): Promise<Asked> {
  const as = new ApiClient(url, sampleToken.intranet);
  await as.call(
    'POST',
    '/events',
    Array.from({ length: 300 }, () => ({ message: 'one of very many' })),
  );
  return { as, body: { message: 'one too many' } };
}
