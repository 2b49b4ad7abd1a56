import { ChangeType, type Message } from '@crossfade/protocol/catalog';
import { partialMatchKey } from '@tanstack/svelte-query';
import { expect, it, vi } from 'vitest';

vi.mock('../session.svelte', () => ({ session: {} }));
const { queries } = await import('../queries');
const { staleAfter } = await import('./stale');

/** What may be shown while a message comes. */
const shown = {
  stacks: queries.stacks('acme', 'page=1').queryKey,
  stack: queries.stack('one').queryKey,
  'another stack': queries.stack('two').queryKey,
  events: queries.events('one', 1).queryKey,
  'events of another stack': queries.events('two', 1).queryKey,
  organizations: queries.organizations().queryKey,
  organization: queries.organization('acme').queryKey,
  'another organization': queries.organization('globex').queryKey,
  'all projects': queries.projects().queryKey,
  'projects of an organization': queries.projects('acme').queryKey,
  project: queries.project('shop').queryKey,
  members: queries.members('acme').queryKey,
  'ingest tokens': queries.ingestTokens('shop').queryKey,
  sessions: queries.sessions().queryKey,
  me: queries.me().queryKey,
};
const staleOf = (message: Message) =>
  Object.entries(shown)
    .filter(([, key]) => staleAfter(message).some((stale) => partialMatchKey(key, stale)))
    .map(([name]) => name);

const changed = (type: string, ids: object) => ({ type, change_type: ChangeType.Saved, data: {}, ...ids });

it.each<[Message, string[]]>([
  [{ type: 'StackChanged', message: changed('Stack', { id: 'one' }) }, ['stacks', 'stack']],
  [{ type: 'StackChanged', message: changed('Stack', {}) }, ['stacks', 'stack', 'another stack']],
  [
    {
      type: 'PersistentEventChanged',
      message: changed('PersistentEvent', { stack_id: 'one', organization_id: 'acme' }),
    },
    ['events', 'organization'],
  ],
  [
    { type: 'ProjectChanged', message: changed('Project', { id: 'shop' }) },
    ['stacks', 'all projects', 'projects of an organization', 'project'],
  ],
  [{ type: 'PlanChanged', message: { organization_id: 'acme' } }, ['organizations', 'organization']],
  [{ type: 'TokenChanged', message: changed('Token', { project_id: 'shop' }) }, ['ingest tokens']],
  [{ type: 'TokenChanged', message: changed('Token', {}) }, ['sessions']],
  [{ type: 'UserChanged', message: changed('User', {}) }, ['members', 'me']],
  [{ type: 'SavedViewChanged', message: changed('SavedView', {}) }, []],
])('%j makes stale what it is about', (message, stale) => {
  expect(staleOf(message)).toEqual(stale);
});
