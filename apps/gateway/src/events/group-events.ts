import { randomUUID } from 'node:crypto';
import { TimeSlice } from '../process/time-slice.js';
import { readEvent, type EventInput } from './event-input.js';
import { signatureOf } from './signature.js';

/** An event with the id that it will have, so that it can be published. */
export type IdentifiedEvent = EventInput & { readonly id: string };

/** Events of a batch that belong to one stack. */
export interface StackGroup {
  readonly title: string;
  readonly hash: string;
  readonly events: IdentifiedEvent[];
}

/** Reads batches into groups, in the order of their signatures: concurrent ones lock stacks in the same order. */
export async function groupBySignature(
  batches: readonly { readonly events: readonly object[]; readonly now: Date }[],
): Promise<StackGroup[]> {
  const groups = new Map<string, StackGroup>();
  // Sorted apart by the beginning of the signature: sorting fifty thousand at once would block the event loop.
  const drawers = new Map<string, StackGroup[]>();
  const slice = new TimeSlice();
  for (const { events, now } of batches) {
    for (const raw of events) {
      const event = readEvent(raw, now);
      if (event === undefined) continue;
      const { hash, title } = signatureOf(event);
      let group = groups.get(hash);
      if (group === undefined) {
        group = { hash, title, events: [] };
        groups.set(hash, group);
        const beginning = hash.slice(0, 2);
        const drawer = drawers.get(beginning);
        if (drawer === undefined) drawers.set(beginning, [group]);
        else drawer.push(group);
      }
      group.events.push({ ...event, id: randomUUID() });
      if (slice.isOver) await slice.next();
    }
  }
  return [...drawers.keys()]
    .sort()
    .flatMap((beginning) => drawers.get(beginning)?.sort((a, b) => (a.hash < b.hash ? -1 : 1)) ?? []);
}
