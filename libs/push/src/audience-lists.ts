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
  /** What of its weight nobody else pushes out. */
  readonly reserve: number;
  items: Item[];
  /** The first of `items` that is still kept. */
  first: number;
  /** How many were dropped of it: the number of the next one that will be. */
  dropped: number;
  weight: number;
  floor: Position;
}

const audienceKey = (audience: Audience): string =>
  audience.kind === 'everyone' ? audience.kind : `${audience.kind}:${audience.id}`;
const EVERYONE = audienceKey(everyone);

/** The audiences that somebody belongs to, as keys. */
export const audiencesOf = ({
  userId,
  organizationIds,
}: {
  readonly userId?: string;
  readonly organizationIds: ReadonlySet<string>;
}): string[] => [
  EVERYONE,
  ...(userId === undefined ? [] : [audienceKey(user(userId))]),
  ...[...organizationIds].map((id) => audienceKey(organization(id))),
];

/** Everyone's part of the capacity, and that of each other audience, as long as there are no more of these. */
const EVERYONES_PART = 4;
const AUDIENCES = 128;
/** What nobody else pushes out, as weight. */
interface Reserves {
  readonly everyone: number;
  readonly each: number;
}

/** Floors of forgotten lists that are kept apart, for each record of the capacity. */
const FORGOTTEN = 4;

/**
 * Lists of records by audience, which share one capacity. Each has its floor: the last one that was dropped from it.
 * When the capacity is exceeded, something old goes:
 * - what is for everyone keeps a quarter of the capacity: only newer records for everyone push it out;
 * - each other audience keeps a small part, its newest records, while any list has more than its part: of these, the one
 *   that has most beyond its part loses its oldest record, so that whoever fills the room pays;
 * - when nobody has more than their part, the oldest record goes, whosever it is: age is all that tells many light
 *   audiences apart.
 * Pure. Each step takes a constant time, spread over all steps.
 */
export class AudienceLists<Item extends Kept> {
  readonly #lists = new Map<string, List<Item>>();
  /** Lists that have more than their part, by how much. */
  readonly #byExcess = new Map<number, Set<List<Item>>>();
  #mostExcess = 0;
  /** Every record of every list but everyone's, in the order in which they came; some of them are dropped already. */
  #ages: { readonly list: List<Item>; readonly number: number }[] = [];
  #oldest = 0;
  #weight = 0;
  /** Records in `#ages` that are still kept. */
  #aging = 0;
  /** Floors of audiences that have no list any more. */
  readonly #forgotten = new Map<string, Position>();
  /** The floor of every audience that is in neither: nothing above it was dropped from one that is forgotten. */
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

  /** What all lists weigh together; a record of two audiences counts twice. */
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
    while (this.#weight > this.capacity) this.#dropOldest(this.#mostBeyondItsPart() ?? this.#withTheOldest());
    this.#forgetDroppedAges();
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
    for (const key of keys) floor = later(floor, this.#lists.get(key)?.floor ?? this.#forgotten.get(key));
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
      const reserve = key === EVERYONE ? this.reserves.everyone : this.reserves.each;
      const floor = later(this.#floor, this.#forgotten.get(key));
      list = { key, reserve, items: [], first: 0, dropped: 0, weight: 0, floor };
      this.#forgotten.delete(key);
      this.#lists.set(key, list);
    }
    return list;
  }

  #mostBeyondItsPart(): List<Item> | undefined {
    for (; this.#mostExcess > 0; this.#mostExcess -= 1) {
      const [list] = this.#byExcess.get(this.#mostExcess) ?? [];
      if (list !== undefined) return list;
    }
    return undefined;
  }

  /** Not everyone's, which is no more than its part here, and so not all. */
  #withTheOldest(): List<Item> {
    for (; ; this.#oldest += 1) {
      const age = this.#ages[this.#oldest];
      if (age === undefined) throw new Error('the records weigh more than they do together');
      if (age.number >= age.list.dropped) return age.list;
    }
  }

  /** Most lists lose their oldest before it is the oldest of all: what is left of it here must not pile up. */
  #forgetDroppedAges(): void {
    if (this.#ages.length < 64 || this.#ages.length < this.#aging * 2) return;
    this.#ages = this.#ages.filter(({ list, number }) => number >= list.dropped);
    this.#oldest = 0;
  }

  #dropOldest(list: List<Item>): void {
    const oldest = list.items[list.first];
    if (oldest === undefined) return;
    list.floor = { cursor: oldest.cursor, place: oldest.place };
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

  /** An empty list is forgotten, and after very many others its floor is everybody's. */
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
  other !== undefined && other.place > one.place ? other : one;

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
