import { z } from 'zod';
import { cleanText } from './text.js';

/** What a person types: no NUL, no lone surrogates, no spaces around it. */
export const line = (most: number) =>
  z
    .string()
    .transform((text) => cleanText(text).trim())
    .refine((text) => text.length > 0, 'must not be empty')
    .refine((text) => text.length <= most, `must have at most ${most} characters`);

/** An address as accounts have it: in lower case. */
export const emailAddress = z
  .string()
  .transform((text) => text.trim().toLowerCase())
  .pipe(z.email('must be an e-mail address').max(320, 'must have at most 320 characters'));

/** An instant as it leaves: ISO 8601, UTC. */
export const instant = z
  .date()
  .transform((date) => date.toISOString())
  .pipe(z.iso.datetime());

/** What ISO 8601 writes with four digits; PostgreSQL and JavaScript do not agree on what is beyond. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** An instant from outside, after now. Without an offset it is UTC. */
export const futureInstant = z.iso
  .datetime({ offset: true, local: true, error: 'must be a date like 2030-01-31T09:00:00Z' })
  .transform((text) => new Date(/(?:Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`))
  .refine((date) => date.getTime() > Date.now(), 'must be in the future')
  .refine((date) => !(date.getTime() > LATEST), 'must be before the year 10000, UTC');

/** A flag in a query. */
export const flag = z
  .enum(['true', 'false'], 'must be true or false')
  .default('false')
  .transform((text) => text === 'true');

export const idSchema = z.object({ id: z.uuid('must be a UUID') });
export const idsSchema = z.object({
  ids: z
    .string()
    .transform((text) => [...new Set(text.split(','))])
    .pipe(z.array(z.uuid('must be UUIDs, separated by commas')).max(100, 'must be at most 100')),
});

/**
 * A number of a list. One that is too small or too large counts as one that is not: clients that exist ask for a thousand
 * rows, and for page 0.
 */
const clamped = (most: number, tooSmall: number, fallback: number) => {
  const wanted = `must be a whole number, and counts as ${most} at most`;
  return z.coerce
    .number(wanted)
    .refine(Number.isInteger, wanted)
    .transform((given) => (given < 1 ? tooSmall : Math.min(given, most)))
    .default(fallback);
};

const ROWS = 20;
const MOST_ROWS = 100;
/** `limit` and `page` of every list. */
export const paging = z.object({ limit: clamped(MOST_ROWS, ROWS, ROWS), page: clamped(1_000_000, 1, 1) });
export type Paging = z.output<typeof paging>;
