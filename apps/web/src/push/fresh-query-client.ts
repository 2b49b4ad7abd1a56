import {
  QueryClient,
  type InvalidateOptions,
  type InvalidateQueryFilters,
  type Query,
  type QueryKey,
} from '@tanstack/svelte-query';

/**
 * A query client that loses no invalidation. The response to a fetch that is under way may have been made before the
 * change that the invalidation tells of. TanStack's own client restarts such a fetch only if the query has data and a page
 * shows it; a first fetch, and one whose page was left, would count as fresh. Here each fetch runs to its end, is shown,
 * and is followed by another one. Restarting at every change would keep a busy list from ever arriving.
 */
export class FreshQueryClient extends QueryClient {
  /** Resolves when every query that is shown has been fetched after this call. */
  override async invalidateQueries<Key extends QueryKey = QueryKey>(
    filters?: InvalidateQueryFilters<Key>,
    options?: InvalidateOptions,
  ): Promise<void> {
    const running = this.getQueryCache().findAll(filters).filter(isFetching);
    await Promise.all([
      super.invalidateQueries(
        { ...filters, predicate: (query) => !isFetching(query) && (filters?.predicate?.(query) ?? true) },
        options,
      ),
      ...running.map((query) => this.#invalidateAfter(query, filters, options)),
    ]);
  }

  /** Shows data that a message brought along. A fetch that is under way is dropped, so that it cannot replace it. */
  overtake(queryKey: QueryKey, data: unknown): void {
    void this.cancelQueries({ queryKey, exact: true });
    this.setQueryData(queryKey, data);
  }

  async #invalidateAfter<Key extends QueryKey>(
    query: Query,
    filters?: InvalidateQueryFilters<Key>,
    options?: InvalidateOptions,
  ): Promise<void> {
    // The promise covers retries, and a failure ends the fetch as well.
    await query.promise?.catch(() => undefined);
    // A fetch that runs by now began after the change. A query that was removed meanwhile is not found.
    await super.invalidateQueries(
      { predicate: (one) => one === query, refetchType: filters?.refetchType ?? filters?.type ?? 'active' },
      { ...options, cancelRefetch: false },
    );
  }
}

/** A paused fetch has sent nothing yet, so its response will be new. */
function isFetching({ state }: { readonly state: Query['state'] }): boolean {
  return state.fetchStatus === 'fetching';
}
