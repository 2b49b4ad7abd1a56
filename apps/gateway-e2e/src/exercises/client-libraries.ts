import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import type { Asked } from '../operations.ts';
import type { World } from '../world.ts';
import { ofProject, type Exercises } from './exercise.ts';

const ofClients: Exercises = {
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

/** The same routes at the paths that old libraries call. */
const atOldPaths = (exercises: Exercises): Exercises =>
  Object.fromEntries(
    Object.entries(exercises).map(([name, exercise]) => [name.replace('/api/v2/', '/api/v1/'), exercise]),
  );

/** What client libraries call, at both versions of the path. */
export const clientLibraries: Exercises = { ...ofClients, ...atOldPaths(ofClients) };

/** Fills the other organization's quota, which the free plan sets. */
async function withoutRoom({ url }: World): Promise<Asked> {
  const as = new ApiClient(url, sampleToken.intranet);
  await as.call(
    'POST',
    '/events',
    Array.from({ length: 300 }, () => ({ message: 'one of very many' })),
  );
  return { as, body: { message: 'one too many' } };
}
