/** What may wait: two with an equal `key` are equal, one without never merges. */
export interface Mergeable {
  readonly key: string | undefined;
}

/**
 * The bounded queue between the hub and a socket that may be slow. Pure: it knows no socket and no timer.
 * An item equal to one that waits takes its place at the end, so that its cursor stays in order.
 */
export class WriteQueue<Item extends Mergeable> {
  #waiting = new Map<string | symbol, Item>();

  constructor(readonly capacity: number) {}

  get size(): number {
    return this.#waiting.size;
  }

  /** `full`: nothing was changed, and the item is not in the queue. */
  offer(item: Item): 'queued' | 'merged' | 'full' {
    const place = item.key ?? Symbol();
    const merged = this.#waiting.delete(place);
    if (!merged && this.#waiting.size >= this.capacity) return 'full';
    this.#waiting.set(place, item);
    return merged ? 'merged' : 'queued';
  }

  /** All that waits, in order. The queue is empty after it. */
  take(): readonly Item[] {
    const items = [...this.#waiting.values()];
    this.#waiting.clear();
    return items;
  }
}
