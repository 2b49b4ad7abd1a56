import { ofOrganization, ofProject, type Ask, type Exercises } from './exercise.ts';

const ofStack: Ask = ({ member, own }) => ({ as: member, path: { id: own.stacks } });
const ofNewStack: Ask = async ({ member, stack }) => ({ as: member, path: { ids: await stack() } });

/** Stacks and their events. */
export const stacks: Exercises = {
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
};
