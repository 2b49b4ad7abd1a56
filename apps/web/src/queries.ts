import { queryOptions, type CreateQueryOptions, type QueryKey } from '@tanstack/svelte-query';
import { session } from './session.svelte';
import {
  account,
  event,
  ingestToken,
  loginSession,
  notification,
  organization,
  plans,
  project,
  receivedInvitation,
  sentInvitation,
  serviceToken,
  stack,
  user,
  type Organization,
} from './api/schemas';

/**
 * The queries of one noun. A query's key is the noun's name and the arguments of its fetch, so it cannot lack one. `key`
 * matches every query with this first argument, or every query of the noun without one.
 */
function noun<Arguments extends readonly (string | number | undefined)[], Data>(
  name: string,
  fetch: (...args: Arguments) => Promise<Data>,
  options: Pick<
    CreateQueryOptions<Data, Error, Data, readonly [string, ...Arguments]>,
    'refetchInterval' | 'refetchOnWindowFocus'
  > = {},
) {
  const query = (...args: Arguments) =>
    queryOptions({ ...options, queryKey: [name, ...args] as const, queryFn: () => fetch(...args) });
  const key = (first?: Arguments[0]): QueryKey => (first === undefined ? [name] : [name, first]);
  return Object.assign(query, { key });
}

const MINUTE_MS = 60_000;

export const isOverLimit = (one: Organization): boolean =>
  one.is_over_monthly_limit || one.is_over_hourly_limit;
/** A limit ends with its period, and no message says so. */
const whileOver = (...organizations: readonly Organization[]): number | false =>
  organizations.some(isOverLimit) ? MINUTE_MS : false;

/** The key, the fetch and the schema of everything that the app reads. */
export const queries = {
  me: noun('me', () => session.api.get('/users/me', user)),
  sessions: noun('sessions', () => session.api.list('/users/me/tokens?limit=100', loginSession)),
  /** No message tells of an invitation: its delay would reveal which addresses have an account. */
  receivedInvitations: noun(
    'received invitations',
    () => session.api.list('/users/me/invitations?limit=100', receivedInvitation),
    { refetchInterval: MINUTE_MS, refetchOnWindowFocus: 'always' },
  ),

  /** The organizations of the user. */
  organizations: noun('organizations', () => session.api.list('/organizations?limit=100', organization), {
    refetchInterval: ({ state }) => whileOver(...(state.data?.items ?? [])),
  }),
  organization: noun('organization', (id: string) => session.api.get(`/organizations/${id}`, organization), {
    refetchInterval: ({ state }) => whileOver(...(state.data === undefined ? [] : [state.data])),
  }),
  plans: noun('plans', (organizationId: string) =>
    session.api.get(`/organizations/${organizationId}/plans`, plans),
  ),
  members: noun('members', (organizationId: string) =>
    session.api.list(`/organizations/${organizationId}/users?limit=100`, user),
  ),
  sentInvitations: noun('sent invitations', (organizationId: string) =>
    session.api.list(`/organizations/${organizationId}/invitations?limit=100`, sentInvitation),
  ),

  /** Of one organization, or of all that the user is in. */
  projects: noun('projects', (organizationId?: string) =>
    session.api.list(
      `${organizationId === undefined ? '' : `/organizations/${organizationId}`}/projects?limit=100`,
      project,
    ),
  ),
  project: noun('project', (id: string) => session.api.get(`/projects/${id}`, project)),
  ingestTokens: noun('ingest tokens', (projectId: string) =>
    session.api.list(`/projects/${projectId}/tokens?limit=100`, ingestToken),
  ),

  /** `search` is the query string: words, status, order and page. */
  stacks: noun('stacks', (organizationId: string, search: string) =>
    session.api.list(`/organizations/${organizationId}/stacks?${search}`, stack),
  ),
  stack: noun('stack', (id: string) => session.api.get(`/stacks/${id}`, stack)),
  events: noun('events', (stackId: string, page: number) =>
    session.api.list(`/stacks/${stackId}/events?limit=10&page=${page}`, event),
  ),

  /** The one that is shown to everyone, or null. */
  systemNotification: noun('system notification', () =>
    session.api.getIfAny('/notifications/system', notification),
  ),
  serviceTokens: noun('service tokens', () => session.api.list('/tokens?limit=100', serviceToken)),
  accounts: noun('accounts', (search: string, page: number) =>
    session.api.list(
      `/users?${new URLSearchParams({ limit: '20', page: String(page), ...(search && { q: search }) })}`,
      account,
    ),
  ),
};

/** The key that matches every query. */
export const everything: QueryKey = [];
