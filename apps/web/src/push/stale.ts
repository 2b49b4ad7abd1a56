import type { Message } from '@crossfade/protocol';
import type { QueryKey } from '@tanstack/svelte-query';

/** Everything that this app fetches, so that a stream which missed something can refetch it all. */
export const everything: QueryKey = [];

/** What of it a message makes stale. */
export function staleAfter({ type, message }: Message): readonly QueryKey[] {
  switch (type) {
    case 'StackChanged':
      return [['stacks'], ...(message.id === undefined ? [] : [['stack', message.id]])];
    case 'PersistentEventChanged':
      return message.stack_id === undefined ? [['events']] : [['events', message.stack_id]];
    case 'ProjectChanged':
      return [['projects'], ['stacks']];
    case 'OrganizationChanged':
    case 'PlanChanged':
      return [['organizations']];
    case 'UserMembershipChanged':
      return [['organizations'], ['me'], ['projects'], ['stacks']];
    case 'UserChanged':
      return [['me']];
    case 'TokenChanged':
    case 'PlanOverage':
    case 'ReleaseNotification':
    case 'SystemNotification':
    case 'WebHookChanged':
    case 'SavedViewChanged':
      return [];
  }
}
