import {
  QueryClient,
  type InvalidateOptions,
  type InvalidateQueryFilters,
  type Query,
  type QueryKey,
} from '@tanstack/svelte-query';

/**
 * A query client that loses no invalidation. The server may have made the answer to a fetch that runs before what the
 * invalidation is about. TanStack's own client begins such a fetch anew only where there is data and a page shows it; a
 * first fetch, and one whose page was left, would end as fresh. Here each goes on to its end, is shown, and is followed by
 * another one: to begin anew at every change would keep a busy list from ever arriving.
 */
export class FreshQueryClient extends QueryClient {
  /** Resolves when what is shown has been asked for after this call. */
  override async invalidateQueries<Key extends QueryKey = QueryKey>(
    filters?: InvalidateQueryFilters<Key>,
    options?: InvalidateOptions,
  ): Promise<void> {
    const running = this.getQueryCache().findAll(filters).filter(isAnswering);
    await Promise.all([
      super.invalidateQueries(
        { ...filters, predicate: (query) => !isAnswering(query) && (filters?.predicate?.(query) ?? true) },
        options,
      ),
      ...running.map((query) => this.#invalidateAfter(query, filters, options)),
    ]);
  }

  /** Shows data that a message brought along, which what a running fetch is answered with may not replace. */
  overtake(queryKey: QueryKey, data: unknown): void {
    void this.cancelQueries({ queryKey, exact: true });
    this.setQueryData(queryKey, data);
  }

  async #invalidateAfter<Key extends QueryKey>(
    query: Query,
    filters?: InvalidateQueryFilters<Key>,
    options?: InvalidateOptions,
  ): Promise<void> {
    // Retries are a part of it, and a failure ends it too.
    await query.promise?.catch(() => undefined);
    // What runs by now has begun since. A query that was removed meanwhile is not found.
    await super.invalidateQueries(
      { predicate: (one) => one === query, refetchType: filters?.refetchType ?? filters?.type ?? 'active' },
      { ...options, cancelRefetch: false },
    );
  }
}

/** A fetch that is paused has sent nothing yet, so its answer will be a new one. */
function isAnswering({ state }: { readonly state: Query['state'] }): boolean {
  return state.fetchStatus === 'fetching';
}
