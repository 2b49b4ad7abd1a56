import type { Message } from '@crossfade/protocol/catalog';
import type { QueryKey } from '@tanstack/svelte-query';
import { queries } from '../queries';

/** The keys of what a message makes stale. A message without an id is about all of its noun. */
export function staleAfter({ type, message }: Message): readonly QueryKey[] {
  switch (type) {
    case 'StackChanged':
      return [queries.stacks.key(), queries.stack.key(message.id)];
    case 'PersistentEventChanged':
      return [queries.events.key(message.stack_id), queries.organization.key(message.organization_id)];
    case 'ProjectChanged':
      return [queries.projects.key(), queries.project.key(message.id), queries.stacks.key()];
    case 'OrganizationChanged':
      return [queries.organizations.key(), queries.organization.key(message.id)];
    case 'PlanChanged':
    case 'PlanOverage':
      return [queries.organizations.key(), queries.organization.key(message.organization_id)];
    case 'UserMembershipChanged':
      return [
        queries.organizations.key(),
        queries.me.key(),
        queries.projects.key(),
        queries.stacks.key(),
        queries.members.key(message.organization_id),
        queries.sentInvitations.key(message.organization_id),
        queries.receivedInvitations.key(),
      ];
    case 'UserChanged':
      return [queries.me.key(), queries.members.key()];
    case 'TokenChanged':
      return message.project_id === undefined
        ? [queries.sessions.key(), queries.serviceTokens.key()]
        : [queries.ingestTokens.key(message.project_id)];
    case 'ReleaseNotification':
    case 'SystemNotification':
    case 'WebHookChanged':
    case 'SavedViewChanged':
      return [];
  }
}
