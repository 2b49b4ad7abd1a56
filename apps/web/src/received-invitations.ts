import { receivedInvitation } from './api/schemas';
import { receivedInvitations } from './push/stale';
import { session } from './session.svelte';

/** Nobody tells an app of an invitation: so that none can learn, by how long it takes, who has an account. */
export const receivedInvitationsQuery = () => ({
  queryKey: receivedInvitations,
  queryFn: () => session.api.list('/users/me/invitations?limit=100', receivedInvitation),
  refetchInterval: 60_000,
  refetchOnWindowFocus: 'always' as const,
});
