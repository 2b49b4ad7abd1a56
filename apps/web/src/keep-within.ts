import { partialMatchKey, type Query, type QueryKey } from '@tanstack/svelte-query';

/**
 * What to show until another page of a list is answered: the page before, if it is of the same list. `list` is the part of
 * the key that names it. The rows of one organization must not stand under the name of another.
 */
export const keepWithin =
  (list: QueryKey) =>
  <Data>(before: Data | undefined, query: Pick<Query, 'queryKey'> | undefined): Data | undefined =>
    query !== undefined && partialMatchKey(query.queryKey, list) ? before : undefined;
