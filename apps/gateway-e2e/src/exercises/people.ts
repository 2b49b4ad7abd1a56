import { ApiClient, inLetters, secretOf } from '@crossfade/test-hosts';
import type { World } from '../world.ts';
import { asAdministrator, asGuest, asMember, ofProject, type Ask, type Exercises } from './exercise.ts';

let accounts = 0;
const newAccount = () => ({
  email: `new-${inLetters(++accounts)}@example.com`,
  password: 'plain otters juggle',
  full_name: 'New Person',
});
const ofSomebody = async ({ admin, somebody }: World) => ({ as: admin, path: { id: await somebody() } });
const fresh: Ask = async (world) => ({ as: await session(world) });

async function session({ url, secrets }: World) {
  const client = await ApiClient.login(url, 'member@crossfade.test');
  if (client.token !== undefined) secrets.add(client.token);
  return client;
}

/** Logins, accounts and their tokens. */
export const people: Exercises = {
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
};
