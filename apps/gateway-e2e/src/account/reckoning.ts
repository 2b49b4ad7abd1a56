import type { Heard } from './clients.ts';
import type { Departure } from './departures.ts';
import { textOf, type Accepted } from './publisher.ts';

/** What the account needs to know of a client. */
interface Listener {
  readonly heard: readonly Heard[];
  readonly askedAt: readonly number[];
  readonly knowsResync: boolean;
}

/** How long after a message the loss of it may be announced: it may have waited in the outbox for several outages. */
const ANNOUNCED_MS = 60_000;
/** How long after a record that came in place of a lost one. The next read finds the hole. */
const PASSED_MS = 10_000;
/** How long a hole may have been found before it is announced: until the database has confirmed who is connected. */
const HOLE_MS = 2000;

/** A cursor of the log that replicas share: `EPOCH.MILLISECONDS-NUMBER`. */
interface Place {
  readonly epoch: string;
  readonly entry: bigint;
}

const STEP = 2n ** 20n;

function placeOf(cursor: string | undefined): Place | undefined {
  const [, epoch = '', milliseconds = '', number = ''] = /^([\w-]+)\.(\d+)-(\d+)$/.exec(cursor ?? '') ?? [];
  return epoch === '' ? undefined : { epoch, entry: BigInt(milliseconds) * STEP + BigInt(number) };
}

const isInvalidation = ({ type }: Heard): boolean => type === 'StackChanged';

/** Whether a client refetches now: what it fetches is all that was committed. */
function isRefetch({ type, message }: Heard, { knowsResync }: Listener): boolean {
  if (type === 'Resync') return true;
  return type === 'Connected' && (!knowsResync || (message as { resumed?: string }).resumed !== 'resumed');
}

/** What a client that was there all the time should have heard, or heard otherwise. */
export function deliveryFaults(
  listener: Listener,
  accepted: readonly Accepted[],
  /** Of all clients: where each invalidation was in the log. */
  places: ReadonlyMap<string, Place>,
  /** When Redis lost its data, milliseconds since 1970. */
  lostAt: readonly number[],
): string[] {
  const ids = new Map<string, Set<string | undefined>>();
  for (const { id, message } of listener.heard) {
    const text = textOf(message);
    if (text !== undefined) ids.set(text, (ids.get(text) ?? new Set()).add(id));
  }
  const refetchedAt = listener.heard.filter((one) => isRefetch(one, listener)).map(({ at }) => at);
  const faults: string[] = [];
  for (const { text, isCritical, sentAt, acceptedAt } of accepted) {
    const of = ids.get(text);
    if (isCritical && of === undefined) faults.push(`never heard critical ${text}`);
    if (isCritical && of !== undefined && of.size > 1)
      faults.push(`heard ${text} under several ids: ${[...of].join(', ')}`);
    if (isCritical || of !== undefined) continue;
    const announcedAt = refetchedAt.find((at) => at >= sentAt);
    if (announcedAt === undefined || announcedAt > acceptedAt + ANNOUNCED_MS)
      faults.push(`was silent about ${text}`);
  }
  return [...faults, ...needlessResyncs(listener, lostAt), ...orderFaults(listener, ids, places)];
}

/** Only a log that has lost something costs anybody a `Resync`. */
function needlessResyncs({ heard }: Listener, lostAt: readonly number[]): string[] {
  const isNeedless = ({ type, at }: Heard): boolean =>
    type === 'Resync' && !lostAt.some((lost) => lost <= at && at <= lost + ANNOUNCED_MS);
  return heard
    .filter(isNeedless)
    .map(({ message }) => `was told to refetch, and nothing was lost: ${JSON.stringify(message)}`);
}

/** What was passed over between two invalidations that were heard one after the other, with no refetch in between. */
function orderFaults(
  listener: Listener,
  ids: ReadonlyMap<string, unknown>,
  places: ReadonlyMap<string, Place>,
): string[] {
  const faults: string[] = [];
  let before: (Place & { readonly text: string; readonly stream: number }) | undefined;
  for (const [index, one] of listener.heard.entries()) {
    if (isRefetch(one, listener)) before = undefined;
    const place = placeOf(one.id);
    if (!isInvalidation(one) || place === undefined) continue;
    const here = { ...place, text: textOf(one.message) ?? '', stream: one.stream };
    const isAnnounced = (): boolean =>
      listener.heard.slice(index).some((next) => isRefetch(next, listener) && next.at <= one.at + PASSED_MS);
    if (before !== undefined && before.epoch !== here.epoch && !isAnnounced())
      faults.push(`went from ${before.text} to ${here.text}, in another log, without a word`);
    if (before?.epoch === here.epoch) {
      if (before.stream === here.stream && here.entry <= before.entry)
        faults.push(`heard ${here.text} after ${before.text}`);
      const { entry } = before;
      const passed = [...places].filter(
        ([text, { epoch, entry: other }]) =>
          epoch === here.epoch && other > entry && other < here.entry && !ids.has(text),
      );
      if (passed.length > 0 && !isAnnounced())
        faults.push(
          `heard ${before.text}, then ${here.text}, and nothing of ${passed.map(([text]) => text).join(', ')}`,
        );
    }
    before = here;
  }
  return faults;
}

/** Where each invalidation was in the log, as far as somebody heard it. */
export function placesOf(listeners: readonly Listener[]): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  for (const one of listeners.flatMap(({ heard }) => heard)) {
    const place = placeOf(one.id);
    const text = textOf(one.message);
    if (isInvalidation(one) && place !== undefined && text !== undefined) places.set(text, place);
  }
  return places;
}

/** What somebody whose right had ended was shown all the same. `boundMs`: how late a change that no record tells of is noticed. */
export function rightFaults(departure: Departure, listener: Listener, boundMs: number): string[] {
  const { kind, userId, goneAt } = departure;
  const isOwnRemoval = ({ type, message }: Heard): boolean => {
    const { user_id, change_type } = message as { user_id?: string; change_type?: number };
    return type === 'UserMembershipChanged' && user_id === userId && change_type === 2;
  };
  const needsRight = (one: Heard): boolean =>
    kind === 'revoked'
      ? one.type !== 'Revoked'
      : isInvalidation(one) ||
        (one.type === 'UserMembershipChanged' && (one.message as { user_id?: string }).user_id !== userId);
  let why: string | undefined;
  const faults: string[] = [];
  for (const one of listener.heard) {
    if ((listener.askedAt[one.stream] ?? 0) > goneAt) why ??= 'on a stream that it opened after that';
    if (one.type === 'Resync' && one.at > goneAt + HOLE_MS) why ??= 'after a hole in the log';
    if (one.at > goneAt + boundMs) why ??= 'later than rights are confirmed';
    if (why !== undefined && needsRight(one))
      faults.push(`was ${kind}, and heard ${textOf(one.message) ?? one.type} ${why}`);
    // `Revoked` overtakes what waits in the stream's queue: that came before the revocation.
    if (isOwnRemoval(one)) why ??= 'after it had heard so';
  }
  return faults;
}
