import type { QueryKey } from '@tanstack/svelte-query';

/** How long a burst of changes is gathered between two rounds. */
const GATHER_MS = 300;

/**
 * Refetches what became stale: the first change at once, a burst in rounds. A round is never cut short by the next
 * change, which would keep a busy list from ever arriving; it is followed by another one.
 */
export class Refetcher {
  readonly #stale = new Map<string, QueryKey>();
  #running = false;

  /** `refetch` resolves when what the keys name has been read again. */
  constructor(private readonly refetch: (keys: readonly QueryKey[]) => Promise<void>) {}

  add(...keys: readonly QueryKey[]): void {
    for (const key of keys) this.#stale.set(JSON.stringify(key), key);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#stale.size > 0) {
      const keys = [...this.#stale.values()];
      this.#stale.clear();
      await this.refetch(keys).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    }
    this.#running = false;
  }
}
