import { partialMatchKey, type Query, type QueryKey } from '@tanstack/svelte-query';

/**
 * Shows the page before until the next one is fetched, if both are of the same list. `list` is the part of the key that
 * names it. The rows of one organization must not stand under the name of another.
 */
export const keepWithin =
  (list: QueryKey) =>
  <Data>(before: Data | undefined, query: Pick<Query, 'queryKey'> | undefined): Data | undefined =>
    query !== undefined && partialMatchKey(query.queryKey, list) ? before : undefined;
