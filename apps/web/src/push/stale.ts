import type { Message } from '@crossfade/protocol/catalog';
import type { QueryKey } from '@tanstack/svelte-query';

/** Everything that this app fetches, so that a stream which missed something can refetch it all. */
export const everything: QueryKey = [];

/** The key of the system notification that stands, which its message brings along. */
export const systemNotification: QueryKey = ['system notification'];

/** The key of the invitations that the user has. Nobody tells of a new one, so it is asked for. */
export const receivedInvitations: QueryKey = ['received invitations'];

/** What of it a message makes stale. */
export function staleAfter({ type, message }: Message): readonly QueryKey[] {
  switch (type) {
    case 'StackChanged':
      return [['stacks'], ...(message.id === undefined ? [] : [['stack', message.id]])];
    case 'PersistentEventChanged':
      return [
        message.stack_id === undefined ? ['events'] : ['events', message.stack_id],
        ['usage', message.organization_id],
      ];
    case 'ProjectChanged':
      return [['projects'], ['project', message.id], ['stacks']];
    case 'OrganizationChanged':
      return [['organizations'], ['usage', message.id]];
    case 'PlanChanged':
    case 'PlanOverage':
      return [['organizations'], ['usage', message.organization_id]];
    case 'UserMembershipChanged':
      return [
        ['organizations'],
        ['me'],
        ['projects'],
        ['stacks'],
        ['members', message.organization_id],
        ['sent invitations', message.organization_id],
        receivedInvitations,
      ];
    case 'UserChanged':
      return [['me'], ['members']];
    case 'TokenChanged':
      return message.project_id === undefined
        ? [['sessions'], ['service tokens']]
        : [['tokens', message.project_id]];
    case 'ReleaseNotification':
    case 'SystemNotification':
    case 'WebHookChanged':
    case 'SavedViewChanged':
      return [];
  }
}
