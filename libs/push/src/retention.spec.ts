import type { Audience } from '@crossfade/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Retention, type Retained } from './retention.js';
import { at } from './scripted.spec-kit.js';

interface Item extends Retained {
  readonly id: number;
}
const everyone: Audience = { kind: 'everyone' };
const organization = (id: number | string): Audience => ({ kind: 'organization', id: String(id) });
const keyOf = (audience: Audience) =>
  audience.kind === 'everyone' ? 'everyone' : `${audience.kind}:${audience.id}`;

let next = 0;
const item = (audience: readonly Audience[], weight = 1): Item => ({
  ...at((next += 1)),
  id: next,
  audience,
  weight,
});
const held = (lists: Retention<Item>, key: string): Item[] =>
  lists.after(0n, [key]).flatMap(({ items, next: first }) => items.slice(first));
const weigh = (items: readonly Item[]) => items.reduce((sum, { weight }) => sum + weight, 0);
/** The newest of them, as long as they weigh no more than that together. */
function newest(items: readonly Item[], most: number): Item[] {
  const kept: Item[] = [];
  let weight = 0;
  for (const one of [...items].reverse()) {
    weight += one.weight;
    if (weight > most) break;
    kept.unshift(one);
  }
  return kept;
}

const CAPACITY = 32;
const EVERYONES = 8;
const EACH = 3;

const audience = fc.oneof(
  { weight: 1, arbitrary: fc.constant(everyone) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 2 }).map(organization) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 60 }).map(organization) },
);
const pushed = fc.record({
  audience: fc.uniqueArray(audience, { minLength: 1, maxLength: 2, selector: keyOf }),
  weight: fc.oneof(
    { weight: 6, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.integer({ min: 2, max: 40 }) },
  ),
  times: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(40) }),
});

describe('lists by audience', () => {
  it('keep each promise about what goes, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(pushed, { maxLength: 40, size: 'max' }), (steps) => {
        const lists = new Retention<Item>(CAPACITY, at(0), { everyone: EVERYONES, each: EACH });
        const all = new Map<string, Item[]>();
        const keys = () => [...all.keys()];
        for (const { audience: to, weight, times } of steps) {
          for (let time = 0; time < times; time += 1) {
            const one = item(to, weight);
            const before = new Map(keys().map((key) => [key, held(lists, key)]));
            for (const each of to) {
              const key = keyOf(each);
              all.set(key, [...(all.get(key) ?? []), one]);
              before.set(key, [...(before.get(key) ?? []), one]);
            }
            lists.push(one);

            expect(lists.weight).toBeLessThanOrEqual(CAPACITY);
            let lost: Item[] = [];
            for (const [key, had] of before) {
              const has = held(lists, key);
              // What goes of a list is its oldest, and its floor is the last that went.
              expect(has).toEqual(had.slice(had.length - has.length));
              const gone = (all.get(key) ?? []).slice(0, -has.length || undefined).at(-1);
              if (gone !== undefined) expect(lists.floorOf([key]).offset >= gone.offset).toBe(true);
              if (key === 'everyone') expect(has).toEqual(expect.arrayContaining(newest(had, EVERYONES)));
              else lost = lost.concat(had.slice(0, had.length - has.length));
            }
            const losers = [...before].filter(([key, had]) => held(lists, key).length < had.length);
            const isBeyond = ([key, had]: [string, Item[]]) =>
              weigh(had) > (key === 'everyone' ? EVERYONES : EACH);
            const beyond = [...before].filter(isBeyond);
            const room = beyond.reduce(
              (sum, [key, had]) => sum + weigh(had) - (key === 'everyone' ? EVERYONES : EACH),
              0,
            );
            const excess = [...before.values()].reduce((sum, had) => sum + weigh(had), 0) - CAPACITY;
            // As long as somebody has more than their part, nobody else loses anything of theirs.
            if (excess <= room) {
              for (const [key, had] of losers) {
                const part = key === 'everyone' ? EVERYONES : EACH;
                expect(held(lists, key)).toEqual(expect.arrayContaining(newest(had, part)));
              }
            }
            // Else it is the oldest that goes.
            if (beyond.length === 0) {
              const oldest = Math.max(-1, ...lost.map(({ id }) => id));
              for (const [key] of before) {
                if (key === 'everyone') continue;
                for (const { id } of held(lists, key)) expect(id).toBeGreaterThanOrEqual(oldest);
              }
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('keep what is for everyone, and the newest of each, when one fills all the room', () => {
    const lists = new Retention<Item>(1000, at(0));
    const notices = Array.from({ length: 250 }, () => item([everyone]));
    const quiet = Array.from({ length: 7 }, () => item([organization('quiet')]));
    for (const one of [...notices, ...quiet]) lists.push(one);
    for (let time = 0; time < 5000; time += 1) lists.push(item([organization('loud')]));
    expect(held(lists, 'everyone')).toEqual(notices);
    expect(held(lists, 'organization:quiet')).toEqual(quiet);
    expect(lists.floorOf(['everyone', 'organization:quiet'])).toEqual(at(0));
    expect(held(lists, 'organization:loud')).toHaveLength(743);
  });

  it('keep what is for everyone through any number of new audiences, and say so truly', () => {
    const lists = new Retention<Item>(1000, at(0));
    const notices = Array.from({ length: 250 }, () => item([everyone]));
    for (const one of notices) lists.push(one);
    const first = item([organization('old')]);
    lists.push(first);
    // One account's organizations, each with one message; they are light, and age is all that tells them apart.
    for (let id = 0; id < 1100; id += 1) lists.push(item([organization(id)]));
    expect(held(lists, 'everyone')).toEqual(notices);
    // A reader who was not concerned by what was dropped has missed nothing.
    expect(lists.floorOf(['everyone', 'organization:other'])).toEqual(at(0));
    expect(lists.floorOf(['everyone', 'organization:old']).offset).toBe(first.offset);
    // Of the light ones, the newest are here, as many as have room.
    expect(held(lists, 'organization:1099')).toHaveLength(1);
    expect(held(lists, 'organization:0')).toHaveLength(0);
  });

  it('take from a heavy audience before they take from many light ones', () => {
    const lists = new Retention<Item>(1000, at(0));
    for (let time = 0; time < 1000; time += 1) lists.push(item([organization('loud')]));
    for (let id = 0; id < 900; id += 1) lists.push(item([organization(id)]));
    for (let id = 0; id < 900; id += 1) expect(held(lists, `organization:${id}`)).toHaveLength(1);
    expect(held(lists, 'organization:loud')).toHaveLength(100);
  });

  it('hold little beside what is kept, however many audiences come and go', () => {
    const lists = new Retention<Item>(100, at(0));
    lists.push(item([organization('quiet')]));
    for (let id = 0; id < 50_000; id += 1) lists.push(item([organization('loud')]));
    for (let id = 0; id < 50_000; id += 1) lists.push(item([organization(id)]));
    // Its floor is that of audiences which were forgotten long ago, not of the last one.
    expect(lists.floorOf(['organization:never']).offset).toBeLessThan(BigInt(next - 400));
    expect(lists.weight).toBe(100);
  });

  it('take as long for a push whether many are held or few', () => {
    const timeOf = (capacity: number): number => {
      const lists = new Retention<Item>(capacity, at(0));
      const items = Array.from({ length: 60_000 }, (_, index) =>
        item([organization(index % 3 === 0 ? 'loud' : index % (capacity / 2))]),
      );
      for (const one of items.slice(0, 30_000)) lists.push(one);
      const begun = performance.now();
      for (const one of items.slice(30_000)) lists.push(one);
      return performance.now() - begun;
    };
    timeOf(100);
    expect(timeOf(20_000)).toBeLessThan(timeOf(200) * 20 + 100);
  });
});
