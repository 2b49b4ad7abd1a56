/**
 * Thins a stream of equal items, before the log. Pure: the caller brings the time and asks what is due.
 * The first goes out at once and opens a window; equal ones within it become one, which goes out at its end and
 * opens the next. Holds one entry for each key that was offered within the last window.
 */
export class ConflationWindows<Item> {
  /** In the order in which the windows end, since all are equally long. */
  readonly #open = new Map<string, { readonly until: number; waiting: Item | undefined }>();

  constructor(
    readonly windowMs: number,
    readonly merge: (earlier: Item, later: Item) => Item,
  ) {}

  /** Whether the item goes out now, was held until its window ends, or became one with an item that is held. */
  offer(key: string, item: Item, now: number): 'pass' | 'held' | 'merged' {
    const open = this.#open.get(key);
    if (open === undefined) {
      this.#open.set(key, { until: now + this.windowMs, waiting: undefined });
      return 'pass';
    }
    if (open.waiting === undefined) {
      open.waiting = item;
      return 'held';
    }
    open.waiting = this.merge(open.waiting, item);
    return 'merged';
  }

  /** What goes out now, in the order in which the windows opened. */
  due(now: number): readonly Item[] {
    const items: Item[] = [];
    for (const [key, { until, waiting }] of this.#open) {
      if (until > now) break;
      this.#open.delete(key);
      if (waiting === undefined) continue;
      items.push(waiting);
      this.#open.set(key, { until: now + this.windowMs, waiting: undefined });
    }
    return items;
  }

  /** When to ask again, or undefined if no window is open. */
  get nextDue(): number | undefined {
    for (const { until } of this.#open.values()) return until;
    return undefined;
  }

  /** Everything that waits, whatever the time; all windows end. */
  flush(): readonly Item[] {
    const items = [...this.#open.values()].flatMap(({ waiting }) => (waiting === undefined ? [] : [waiting]));
    this.#open.clear();
    return items;
  }
}
