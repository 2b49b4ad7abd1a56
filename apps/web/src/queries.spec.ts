import { QueryClient } from '@tanstack/svelte-query';
import { expect, it, vi } from 'vitest';
import { Api } from './api/api';

const fetched: string[] = [];
vi.mock('./session.svelte', () => ({ session: { api: new Api('a-token') } }));
vi.stubGlobal('fetch', async (path: string) => {
  fetched.push(path);
  return Response.json([]);
});
const { queries } = await import('./queries');

it('fetches by the arguments that are in the key', async () => {
  const client = new QueryClient();
  const query = queries.events('a-stack', 2);
  expect(query.queryKey).toEqual(['events', 'a-stack', 2]);
  await client.fetchQuery(query);
  await client.fetchQuery(queries.projects());
  await client.fetchQuery(queries.projects('an-organization'));
  expect(fetched).toEqual([
    '/api/v2/stacks/a-stack/events?limit=10&page=2',
    '/api/v2/projects?limit=100',
    '/api/v2/organizations/an-organization/projects?limit=100',
  ]);
});

it('finds the queries of a noun by their first argument, or all of them', async () => {
  const client = new QueryClient();
  const cache = client.getQueryCache();
  for (const id of ['a', 'b']) await client.fetchQuery(queries.stacks(id, 'page=1'));
  await client.fetchQuery(queries.projects());
  const found = (queryKey: readonly unknown[]) => cache.findAll({ queryKey }).map(({ queryKey: key }) => key);
  expect(found(queries.stacks.key('a'))).toEqual([['stacks', 'a', 'page=1']]);
  expect(found(queries.stacks.key())).toHaveLength(2);
  expect(found(queries.stacks.key(undefined))).toHaveLength(2);
});

it('gives no two nouns the same name', () => {
  const names = Object.values(queries).map((one) => one.key()[0]);
  expect(new Set(names).size).toBe(names.length);
});
