import { everyone, organization, user, type Audience } from '@crossfade/protocol';
import type { Position } from './log.js';

/** Something with a place in the log, for some audiences. */
export interface Kept extends Position {
  readonly audience: readonly Audience[];
  /** How much of the capacity it takes, at least 1. */
  readonly weight: number;
}

interface List<Item> {
  readonly key: string;
  items: Item[];
  /** The first of `items` that is still kept. */
  first: number;
  weight: number;
  floor: Position;
}

const audienceKey = (audience: Audience): string =>
  audience.kind === 'everyone' ? audience.kind : `${audience.kind}:${audience.id}`;

/** The audiences that somebody belongs to, as keys. */
export const audiencesOf = ({
  userId,
  organizationIds,
}: {
  readonly userId?: string;
  readonly organizationIds: ReadonlySet<string>;
}): string[] => [
  audienceKey(everyone),
  ...(userId === undefined ? [] : [audienceKey(user(userId))]),
  ...[...organizationIds].map((id) => audienceKey(organization(id))),
];

/**
 * Lists of records by audience, which share one capacity. Each has its floor: the last one that was dropped from it.
 * When the capacity is exceeded, the heaviest list loses its oldest record, so that whoever fills it pays, and one noisy
 * organization does not push the others out. Pure.
 */
export class AudienceLists<Item extends Kept> {
  readonly #lists = new Map<string, List<Item>>();
  readonly #byWeight = new Map<number, Set<List<Item>>>();
  #heaviest = 0;
  #weight = 0;
  /** The floor of every audience that has no list: nothing above it was dropped from one that is forgotten. */
  #floor: Position;

  constructor(
    readonly capacity: number,
    floor: Position,
  ) {
    this.#floor = floor;
  }

  /** What all lists weigh together; a record of two audiences counts twice. */
  get weight(): number {
    return this.#weight;
  }

  push(item: Item): void {
    for (const audience of item.audience) {
      const list = this.#listOf(audienceKey(audience));
      list.items.push(item);
      this.#weigh(list, item.weight);
    }
    while (this.#weight > this.capacity) this.#dropOldest(this.#heaviestList());
  }

  /** Drops what is at the old end of any list, as long as `isOld` says so. */
  dropWhile(isOld: (item: Item) => boolean): void {
    for (const list of [...this.#lists.values()]) {
      for (let oldest = list.items[list.first]; oldest !== undefined && isOld(oldest);) {
        this.#dropOldest(list);
        oldest = list.items[list.first];
      }
    }
  }

  /** The last that was dropped of what concerns any of these audiences: a reader from there on misses nothing. */
  floorOf(keys: Iterable<string>): Position {
    let floor = this.#floor;
    for (const key of keys) {
      const own = this.#lists.get(key)?.floor;
      if (own !== undefined && own.place > floor.place) floor = own;
    }
    return floor;
  }

  /** For each audience with records after `place`: its list, and where in it they begin. */
  after(place: bigint, keys: Iterable<string>): { items: readonly Item[]; next: number }[] {
    const found = [];
    for (const key of keys) {
      const list = this.#lists.get(key);
      if (list === undefined) continue;
      const next = firstAfter(list, place);
      if (next < list.items.length) found.push({ items: list.items, next });
    }
    return found;
  }

  #listOf(key: string): List<Item> {
    let list = this.#lists.get(key);
    if (list === undefined) {
      list = { key, items: [], first: 0, weight: 0, floor: this.#floor };
      this.#lists.set(key, list);
    }
    return list;
  }

  #heaviestList(): List<Item> {
    for (;;) {
      const [list] = this.#byWeight.get(this.#heaviest) ?? [];
      if (list !== undefined) return list;
      this.#heaviest -= 1;
    }
  }

  #dropOldest(list: List<Item>): void {
    const oldest = list.items[list.first];
    if (oldest === undefined) return;
    list.floor = { cursor: oldest.cursor, place: oldest.place };
    list.first += 1;
    this.#weigh(list, -oldest.weight);
    if (list.first === list.items.length) {
      // An empty list is forgotten; what it would have said is said for everyone.
      this.#lists.delete(list.key);
      if (list.floor.place > this.#floor.place) this.#floor = list.floor;
    } else if (list.first > 32 && list.first * 2 > list.items.length) {
      list.items = list.items.slice(list.first);
      list.first = 0;
    }
  }

  #weigh(list: List<Item>, change: number): void {
    const former = this.#byWeight.get(list.weight);
    if (former?.delete(list) === true && former.size === 0) this.#byWeight.delete(list.weight);
    list.weight += change;
    this.#weight += change;
    if (list.weight === 0) return;
    const same = this.#byWeight.get(list.weight);
    if (same === undefined) this.#byWeight.set(list.weight, new Set([list]));
    else same.add(list);
    if (list.weight > this.#heaviest) this.#heaviest = list.weight;
  }
}

function firstAfter<Item extends Kept>({ items, first }: List<Item>, place: bigint): number {
  let low = first;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle]?.place ?? 0n) > place) high = middle;
    else low = middle + 1;
  }
  return low;
}
