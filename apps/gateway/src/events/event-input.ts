import { z } from 'zod';
import { beginning } from '../http/schemas.js';
import { ExactNumber } from '../parsing/exact-number.js';
import { readInstant } from '../parsing/instant.js';
import { cleanJson, cutText, isDocument } from '../parsing/text.js';
import { readReference } from './event-reference.js';

/** An event as it is stored. Client libraries cannot act on a refusal, so invalid fields are left out instead. */
export interface EventInput {
  readonly type: string;
  readonly source: string | undefined;
  readonly message: string | undefined;
  readonly value: number | undefined;
  /** Where it happened: latitude and longitude. */
  readonly geo: string | undefined;
  readonly date: Date;
  readonly data: Record<string, unknown>;
  readonly tags: string[];
  readonly referenceId: string | undefined;
  readonly userIdentity: string | undefined;
  /** The number of occurrences that it stands for: client libraries merge equal errors. */
  readonly count: number;
}

const MAX_TAGS = 50;
const LONGEST_TAG = 100;
/** Elements of the list that are read for tags. */
const TAGS_LOOKED_AT = 200;
const MAX_COUNT = 1_000_000;
/** Clocks differ; a date further ahead than this is replaced by now. */
const MAX_AHEAD_MS = 86_400_000;
const OLDEST = Date.UTC(2000, 0, 1);

const isThere = (value: string): boolean => value.trim() !== '';
const text = (most: number) => beginning(most).refine(isThere).optional().catch(undefined);

/** Rounded to the nearest JavaScript number. */
const number = z.preprocess((value) => (value instanceof ExactNumber ? Number(value) : value), z.number());

const reference = z.string().transform(readReference).refine(isThere).optional().catch(undefined);
/** The user of the event. Some programs send a number as the identity. */
const user = z.object({
  identity: z
    .union([z.string(), z.number(), z.instanceof(ExactNumber)])
    .transform((identity) => readReference(String(identity)))
    .refine(isThere),
});

/** What client libraries send. Nothing is required, and an invalid field counts as absent. */
export const eventSchema = z.object({
  type: text(100),
  source: text(2000),
  message: text(2000),
  value: number.optional().catch(undefined),
  geo: text(100),
  date: z.string().optional().catch(undefined),
  data: z.record(z.string(), z.unknown()).catch({}),
  tags: z.array(z.unknown()).catch([]),
  reference_id: reference,
  count: z.int().min(1).max(MAX_COUNT).catch(1),
});

export const isEvent = (raw: unknown): raw is object => isDocument(raw) && !Array.isArray(raw);

/** Reads one element of a batch; undefined if it is not an object. */
export function readEvent(raw: unknown, now: Date): EventInput | undefined {
  const cleaned = cleanJson(raw);
  const parsed = eventSchema.safeParse(cleaned);
  if (!parsed.success) return undefined;
  const { type, source, message, value, geo, date, tags, reference_id: referenceId, count } = parsed.data;
  const data = withUnknown(parsed.data.data, cleaned as object);
  const hasError = data['@error'] !== undefined || data['@simple_error'] !== undefined;
  return {
    type: type ?? (hasError ? 'error' : 'log'),
    source,
    message,
    value,
    geo,
    date: readDate(date, now),
    data: source === undefined ? data : { ...data, '@source': source },
    tags: readTags(tags),
    referenceId,
    userIdentity: user.safeParse(data['@user']).data?.identity,
    count,
  };
}

function readDate(date: string | undefined, now: Date): Date {
  const read = date === undefined ? undefined : readInstant(date);
  if (read === undefined) return now;
  const believed = read.getTime() >= OLDEST && read.getTime() <= now.getTime() + MAX_AHEAD_MS;
  return believed ? read : now;
}

function readTags(tags: readonly unknown[]): string[] {
  const named = tags
    .slice(0, TAGS_LOOKED_AT)
    .flatMap((tag) => (typeof tag === 'string' ? [cutText(tag, LONGEST_TAG).trim()] : []))
    .filter((tag) => tag !== '');
  return [...new Set(named)].slice(0, MAX_TAGS);
}

/** Names that are tried for a property whose name is taken: `name`, `name1` and so on. */
const NAMES_TRIED = 10;

/** Adds the event's unknown properties to its data, as other error trackers do. */
function withUnknown(data: Record<string, unknown>, event: object): Record<string, unknown> {
  const unknown = Object.entries(event).filter(([name]) => !Object.hasOwn(eventSchema.shape, name));
  if (unknown.length === 0) return data;
  const all = new Map(Object.entries(data));
  for (const [name, value] of unknown) {
    const free = Array.from({ length: NAMES_TRIED }, (_, index) => `${name}${index || ''}`).find(
      (one) => !all.has(one),
    );
    if (free !== undefined) all.set(free, value);
  }
  return Object.fromEntries(all);
}
