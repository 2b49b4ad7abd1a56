import type { Query, QueryClient, QueryKey } from '@tanstack/svelte-query';

/** How long changes are gathered between two rounds. */
const GATHER_MS = 300;

/**
 * Refetches stale queries: at once after the first change, in rounds during a burst. A change never cuts a round short; it
 * causes another round. Each query has rounds of its own, so that none waits for another's response.
 */
export class Refetcher {
  /** The queries that are in a round, and whether they became stale since it began. */
  readonly #rounds = new Map<Query, { isStale: boolean }>();

  constructor(private readonly client: QueryClient) {}

  add(...keys: readonly QueryKey[]): void {
    const cache = this.client.getQueryCache();
    for (const query of new Set(keys.flatMap((queryKey) => cache.findAll({ queryKey })))) {
      const round = this.#rounds.get(query);
      if (round === undefined) {
        void this.#run(query);
        continue;
      }
      round.isStale = true;
      // A page that is opened meanwhile then fetches it at once.
      query.invalidate();
    }
  }

  async #run(query: Query): Promise<void> {
    const round = { isStale: true };
    this.#rounds.set(query, round);
    while (round.isStale) {
      round.isStale = false;
      await this.client.invalidateQueries({ predicate: (one) => one === query }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    }
    this.#rounds.delete(query);
  }
}
