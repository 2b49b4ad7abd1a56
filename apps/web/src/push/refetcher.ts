import type { Query, QueryClient, QueryKey } from '@tanstack/svelte-query';

/** How long a burst of changes is gathered between two rounds. */
const GATHER_MS = 300;

/**
 * Refetches what became stale: the first change at once, a burst in rounds. A round is never cut short by the next
 * change; it is followed by another one. Each query has rounds of its own, so that none waits for another's answer.
 */
export class Refetcher {
  /** The queries that are in a round, and whether they became stale meanwhile. */
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
      // So that a page which is opened meanwhile reads it at once.
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
