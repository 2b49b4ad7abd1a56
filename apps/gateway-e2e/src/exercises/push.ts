import { SseProbe } from '@crossfade/protocol/testing';
import type { World } from '../world.ts';
import { asAdministrator, type Exercises } from './exercise.ts';

let lastStream: SseProbe | undefined;

const published = ({ own }: World, said: string) => ({
  type: 'StackChanged',
  message: { type: 'Stack', organization_id: own.organizations, change_type: 1, data: { said } },
});

/** Notifications, messages of services, and open streams. */
export const push: Exercises = {
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
