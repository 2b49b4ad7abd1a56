import type { Audience } from '@crossfade/protocol';
import fc from 'fast-check';
import { expect } from 'vitest';
import { LoggedFrame } from './frame.js';
import type { StampedMessage } from './log.js';
import { CLIENTS } from './streams.steps.spec-kit.js';
import {
  emptyTally,
  nameOf,
  type Client,
  type Order,
  type Published,
  type Tally,
  type World,
} from './streams.world.spec-kit.js';

/*
 * What holds after every history.
 */

/** Nobody hears what is not for them; what is for them arrives, or they are told to refetch it. */
function check(world: World): void {
  for (const token of world.revoked) {
    const open = world.replicas.flatMap(({ parts }) => [...parts.hub.ofToken(token)]);
    expect(open, `${token} is revoked`).toEqual([]);
  }
  for (const who of world.clients) {
    checkRights(world, who);
    if (who.since !== undefined && !world.revoked.has(who.token)) checkArrival(world, who, who.since);
  }
  checkRepeats(world.clients);
}

function checkRights(world: World, { token, user, heard }: Client): void {
  for (const { record, tick } of heard) {
    const from = world.published.get(nameOf(record))?.tick ?? 0;
    const mayBe = record.audience.some((audience) => {
      if (audience.kind === 'everyone') return true;
      if (audience.kind === 'user') return audience.id === user;
      if (audience.id === 'steady') return true;
      return (world.stays.get(user) ?? []).some((stay) => stay.from <= tick && stay.to >= from);
    });
    if (!mayBe)
      throw new Error(`${token} of ${user} heard ${record.type} ${record.cursor} without the right`);
  }
}

function checkArrival(world: World, who: Client, since: Order): void {
  const names = new Set<string>();
  const latest = new Map<string, Order>();
  for (const { record, order } of who.heard) {
    names.add(nameOf(record));
    if (order > (latest.get(keyOf(record)) ?? -1n)) latest.set(keyOf(record), order);
  }
  for (const [name, one] of world.published) {
    const { record, order } = one;
    const isCritical = record.delivery === 'critical';
    const isHeard = isCritical ? names.has(name) : (latest.get(keyOf(record)) ?? -1n) >= order;
    if (isHeard || order <= since) continue;
    if (!record.audience.some((audience) => isFor(world, who, one, audience))) continue;
    const mayMiss = world.mayMiss(who, record);
    const isExcused = isCritical ? mayMiss : order <= who.refetched;
    if (!isExcused)
      throw new Error(`${who.token} of ${who.user} never heard ${record.type} ${record.cursor}`);
  }
}

/** Invalidations with equal ones are equal. */
const keyOf = ({ key, data }: StampedMessage): string => key ?? data;

/** Whether a message of this audience must reach this client, in whatever order replicas read what is going on. */
function isFor(world: World, { user }: Client, { order }: Published, audience: Audience): boolean {
  if (audience.kind === 'everyone') return true;
  if (audience.kind === 'user') return audience.id === user;
  if (audience.id === 'steady') return true;
  const stay = world.stays.get(user)?.at(-1);
  if (stay?.to !== Infinity) return false;
  return stay.from === 0 || (stay.joined !== undefined && order > stay.joined);
}

/** A message that arrives twice is known by the same id. */
function checkRepeats(clients: readonly Client[]): void {
  const ids = new Map<string, string>();
  for (const { record, id } of clients.flatMap(({ heard }) => heard)) {
    const name = nameOf(record);
    if (id !== (ids.get(name) ?? id)) throw new Error(`${record.type} ${name} has two ids`);
    ids.set(name, id);
  }
}

/** On each stream, in the log's order. */
function checkOrder({ transport }: Client): void {
  const offsets = (transport?.written.flat() ?? []).flatMap((frame) =>
    frame instanceof LoggedFrame ? [frame.offset] : [],
  );
  for (const [index, offset] of offsets.entries()) {
    if (index > 0) expect(offset > (offsets[index - 1] ?? 0n)).toBe(true);
  }
}

/**
 * Runs random histories, each a setting and steps, and checks every promise after each. `make` makes a world. Returns
 * what happened in all of them together.
 */
export async function keepEveryPromise<Setting, Step, W extends World>(
  histories: fc.Arbitrary<readonly [Setting, readonly Step[]]>,
  make: (setting: Setting) => W,
  take: (world: W, step: Step) => Promise<void> | void,
  { runs, seed }: { readonly runs: number; readonly seed: number },
): Promise<Tally> {
  const all = emptyTally();
  await fc.assert(
    fc.asyncProperty(histories, async ([setting, steps]) => {
      const world = make(setting);
      await world.start();
      for (let client = 0; client < CLIENTS; client += 1)
        await world.do({ do: 'connect', client, cursor: 'none', on: client % world.replicas.length });
      await world.do({ do: 'turn' });
      for (const step of steps) await take(world, step);
      await world.finish();
      check(world);
      // Nothing happens any more: whoever came back because of an end is not ended again.
      const here = world.clients.filter(({ token }) => !world.revoked.has(token));
      expect(here.map(({ transport }) => transport?.ended)).not.toContain('stale');
      for (const who of world.clients) checkOrder(who);
      for (const name of Object.keys(all) as (keyof Tally)[]) all[name] += world.tally[name];
      expect(await world.end()).toEqual({ left: 0, errors: [] });
    }),
    { numRuns: runs, seed },
  );
  return all;
}
