/**
 * Conflates equal items, before the log. Pure: the caller brings the time and asks what is due.
 * The first goes out at once and begins an interval. Equal ones within it become one, which goes out at its end and
 * begins the next. Holds one entry for each key that was added within the last interval.
 */
export class Conflation<Item> {
  /** In the order in which the intervals end, since all are equally long. */
  readonly #open = new Map<string, { readonly until: number; waiting: Item | undefined }>();

  constructor(
    readonly intervalMs: number,
    readonly merge: (earlier: Item, later: Item) => Item,
  ) {}

  /** `pass`: the item goes out now. `waiting`: at the end of its interval. `merged`: as part of an item that waits. */
  add(key: string, item: Item, now: number): 'pass' | 'waiting' | 'merged' {
    const open = this.#open.get(key);
    if (open === undefined || (open.waiting === undefined && open.until <= now)) {
      this.#open.delete(key);
      this.#open.set(key, { until: now + this.intervalMs, waiting: undefined });
      return 'pass';
    }
    if (open.waiting === undefined) {
      open.waiting = item;
      return 'waiting';
    }
    open.waiting = this.merge(open.waiting, item);
    return 'merged';
  }

  /** What goes out now, in the order in which the intervals began. */
  due(now: number): readonly Item[] {
    const items: Item[] = [];
    for (const [key, { until, waiting }] of this.#open) {
      if (until > now) break;
      this.#open.delete(key);
      if (waiting === undefined) continue;
      items.push(waiting);
      this.#open.set(key, { until: now + this.intervalMs, waiting: undefined });
    }
    return items;
  }

  /** When to ask again, or undefined if no interval runs. */
  get nextDue(): number | undefined {
    for (const { until } of this.#open.values()) return until;
    return undefined;
  }

  /** Everything that waits, whatever the time. All intervals end. */
  flush(): readonly Item[] {
    const items = [...this.#open.values()].flatMap(({ waiting }) => (waiting === undefined ? [] : [waiting]));
    this.#open.clear();
    return items;
  }
}
