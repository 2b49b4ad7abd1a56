import type { Audience } from '@crossfade/protocol';
import { audienceKey, EVERYONE, type AudienceKey } from './audience.js';
import type { Offset, Position } from './log.js';

/** A record of the log, for some audiences. */
export interface Retained extends Position {
  readonly audience: readonly Audience[];
  /** How much of the capacity it takes, at least 1. */
  readonly weight: number;
}

interface List<Item> {
  readonly key: AudienceKey;
  /** The weight that no other list pushes out. */
  readonly reserve: number;
  items: Item[];
  /** The first of `items` that was not dropped. */
  first: number;
  /** How many were dropped: the number of the next one to drop. */
  dropped: number;
  weight: number;
  floor: Position;
}

/** Everyone's share of the capacity, and how many other audiences have a share each. */
const EVERYONES_PART = 4;
const AUDIENCES = 128;
/** The shares, as weight. */
interface Reserves {
  readonly everyone: number;
  readonly each: number;
}

/** Floors of empty lists that are retained, for each record of the capacity. */
const FORGOTTEN = 4;

/**
 * Retains records in lists by audience, which share one capacity. Each has its floor: the last record that was dropped from it.
 * When the capacity is exceeded, an old record is dropped:
 * - Records for everyone have a quarter of the capacity. Only newer records for everyone push them out of it.
 * - Each other audience has a small share, for its newest records. While any list has more than its share, the one that
 *   exceeds it most loses its oldest record, so that the audience that fills the window pays.
 * - When no list has more than its share, the oldest record of all is dropped: nothing but age tells many light audiences
 *   apart.
 * Pure. Each step takes a constant time, amortized.
 */
export class Retention<Item extends Retained> {
  readonly #lists = new Map<AudienceKey, List<Item>>();
  /** Lists that have more than their share, by how much. */
  readonly #byExcess = new Map<number, Set<List<Item>>>();
  #mostExcess = 0;
  /** Every record of every list but everyone's, in the order in which they came. Some are dropped already. */
  #ages: { readonly list: List<Item>; readonly number: number }[] = [];
  #oldest = 0;
  #weight = 0;
  /** Records in `#ages` that were not dropped. */
  #aging = 0;
  /** Floors of audiences whose list is empty. */
  readonly #forgotten = new Map<AudienceKey, Position>();
  /** The floor of every audience that is in neither map: nothing above it was dropped from one. */
  #floor: Position;

  constructor(
    readonly capacity: number,
    floor: Position,
    private readonly reserves: Reserves = {
      everyone: Math.floor(capacity / EVERYONES_PART),
      each: Math.max(1, Math.floor(capacity / AUDIENCES)),
    },
  ) {
    this.#floor = floor;
  }

  /** Of all lists together. A record of two audiences counts twice. */
  get weight(): number {
    return this.#weight;
  }

  push(item: Item): void {
    for (const audience of item.audience) {
      const list = this.#listOf(audienceKey(audience));
      list.items.push(item);
      if (list.key !== EVERYONE) {
        this.#ages.push({ list, number: list.dropped + list.items.length - list.first - 1 });
        this.#aging += 1;
      }
      this.#weigh(list, item.weight);
    }
    while (this.#weight > this.capacity)
      this.#dropOldest(this.#mostBeyondItsShare() ?? this.#withTheOldest());
    this.#forgetDroppedAges();
  }

  /** Drops the oldest records of each list, as long as `isOld` says so. */
  dropWhile(isOld: (item: Item) => boolean): void {
    for (const list of [...this.#lists.values()]) {
      for (let oldest = list.items[list.first]; oldest !== undefined && isOld(oldest);) {
        this.#dropOldest(list);
        oldest = list.items[list.first];
      }
    }
  }

  /** All that is retained, those of several audiences several times. */
  items(): readonly Item[] {
    return [...this.#lists.values()].flatMap(({ items, first }) => items.slice(first));
  }

  /** The last record for any of these audiences that was dropped: a reader from there on misses nothing. */
  floorOf(keys: Iterable<AudienceKey>): Position {
    let floor = this.#floor;
    for (const key of keys) floor = later(floor, this.#lists.get(key)?.floor ?? this.#forgotten.get(key));
    return floor;
  }

  /** For each audience with records after `offset`: its list, and where in it they begin. */
  after(offset: Offset, keys: Iterable<AudienceKey>): { items: readonly Item[]; next: number }[] {
    const found = [];
    for (const key of keys) {
      const list = this.#lists.get(key);
      if (list === undefined) continue;
      const next = firstAfter(list, offset);
      if (next < list.items.length) found.push({ items: list.items, next });
    }
    return found;
  }

  #listOf(key: AudienceKey): List<Item> {
    let list = this.#lists.get(key);
    if (list === undefined) {
      const reserve = key === EVERYONE ? this.reserves.everyone : this.reserves.each;
      const floor = later(this.#floor, this.#forgotten.get(key));
      list = { key, reserve, items: [], first: 0, dropped: 0, weight: 0, floor };
      this.#forgotten.delete(key);
      this.#lists.set(key, list);
    }
    return list;
  }

  #mostBeyondItsShare(): List<Item> | undefined {
    for (; this.#mostExcess > 0; this.#mostExcess -= 1) {
      const [list] = this.#byExcess.get(this.#mostExcess) ?? [];
      if (list !== undefined) return list;
    }
    return undefined;
  }

  /** Not everyone's: that has no more than its share here, so there are others. */
  #withTheOldest(): List<Item> {
    for (; ; this.#oldest += 1) {
      const age = this.#ages[this.#oldest];
      if (age === undefined) throw new Error('the records weigh more than they do together');
      if (age.number >= age.list.dropped) return age.list;
    }
  }

  /** Most lists lose a record before it is the oldest of all, and its entry in `#ages` must not pile up. */
  #forgetDroppedAges(): void {
    if (this.#ages.length < 64 || this.#ages.length < this.#aging * 2) return;
    this.#ages = this.#ages.filter(({ list, number }) => number >= list.dropped);
    this.#oldest = 0;
  }

  #dropOldest(list: List<Item>): void {
    const oldest = list.items[list.first];
    if (oldest === undefined) return;
    list.floor = { cursor: oldest.cursor, offset: oldest.offset };
    list.first += 1;
    list.dropped += 1;
    if (list.key !== EVERYONE) this.#aging -= 1;
    this.#weigh(list, -oldest.weight);
    if (list.first === list.items.length) this.#forget(list);
    else if (list.first > 32 && list.first * 2 > list.items.length) {
      list.items = list.items.slice(list.first);
      list.first = 0;
    }
  }

  /** Of an empty list, the floor is retained; after very many others, it becomes the floor of all. */
  #forget(list: List<Item>): void {
    this.#lists.delete(list.key);
    this.#forgotten.set(list.key, list.floor);
    const [first] = this.#forgotten;
    if (this.#forgotten.size <= this.capacity * FORGOTTEN || first === undefined) return;
    this.#forgotten.delete(first[0]);
    this.#floor = later(this.#floor, first[1]);
  }

  #weigh(list: List<Item>, change: number): void {
    const former = this.#byExcess.get(list.weight - list.reserve);
    if (former?.delete(list) === true && former.size === 0) {
      this.#byExcess.delete(list.weight - list.reserve);
    }
    list.weight += change;
    this.#weight += change;
    const excess = list.weight - list.reserve;
    if (excess <= 0) return;
    const same = this.#byExcess.get(excess);
    if (same === undefined) this.#byExcess.set(excess, new Set([list]));
    else same.add(list);
    if (excess > this.#mostExcess) this.#mostExcess = excess;
  }
}

const later = (one: Position, other: Position | undefined): Position =>
  other !== undefined && other.offset > one.offset ? other : one;

function firstAfter<Item extends Retained>({ items, first }: List<Item>, offset: Offset): number {
  let low = first;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((items[middle]?.offset ?? 0n) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
