import { invite, secretOf } from '@crossfade/test-hosts';
import type { World } from '../world.ts';
import { asGuest, asMember, ofOrganization, ofProject, type Exercises } from './exercise.ts';

/** Invites the guest, who has an account. */
async function invited({ guest, member, own, secrets }: World) {
  const whom = await guest();
  const { id, link } = await invite(member, own.organizations, whom.email);
  const secret = secretOf(link);
  secrets.add(secret);
  return { guest: whom, id, secret };
}

/** An invitation as the guest, who is not a member, sees it. */
async function ofInvitation(world: World) {
  const { member, own } = world;
  const { email } = await world.guest();
  await member.call('DELETE', `/organizations/${own.organizations}/users/${email}`);
  const { guest, id } = await invited(world);
  return { as: guest.client, path: { id } };
}

/** Organizations, their members, invitations and projects. */
export const organizations: Exercises = {
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
};
