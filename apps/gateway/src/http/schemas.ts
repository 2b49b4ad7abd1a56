import { z } from 'zod';
import { readInstant } from '../parsing/instant.js';
import { cleanJson, cleanText, cutText } from '../parsing/text.js';

/*
 * All input that may reach the database, or a query to it, is read by one of these: text by `line` (a person is told what
 * is wrong with it) or `beginning` (a program is not), JSON by `jsonObject`, an id by `uuid`.
 */

/** Text that a program sends, cut to `most` characters. */
export const beginning = (most: number) => z.string().transform((value) => cutText(value, most));

/** A JSON object that a program sends. */
export const jsonObject = z
  .record(z.string(), z.unknown())
  .transform((value) => cleanJson(value) as Record<string, unknown>);

/** Many programs write ids in upper case. They are lowered here, once, so that everything can compare them. */
export const uuid = z.uuid('must be a UUID').toLowerCase();

/** Text that a person types, without NUL, lone surrogates and surrounding spaces. */
export const line = (most: number) =>
  z
    .string()
    .transform((text) => cleanText(text).trim())
    .refine((text) => text.length > 0, 'must not be empty')
    .refine((text) => text.length <= most, `must have at most ${most} characters`);

/** Text to search for, which is not stored. */
export const lookedFor = (most: number) =>
  z
    .string()
    .max(most, `must have at most ${most} characters`)
    .transform((text) => cleanText(text).trim());

/** An e-mail address in lower case, as accounts have it. */
export const emailAddress = z
  .string()
  .transform((text) => text.trim().toLowerCase())
  .pipe(z.email('must be an e-mail address').max(320, 'must have at most 320 characters'));

/** An instant in a response: ISO 8601, UTC. */
export const instant = z
  .date()
  .transform((date) => date.toISOString())
  .pipe(z.iso.datetime());

/** The last year of four digits, as ISO 8601 writes it; PostgreSQL and JavaScript disagree on later ones. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** A future instant in a request. Without an offset it is UTC. */
export const futureInstant = z
  .string()
  .meta({ format: 'date-time' })
  .transform((text, context) => {
    // Many clients do not encode the plus of an offset, and in a query that is a space.
    const instant = readInstant(text.replace(/ (?=\d\d(?::?\d\d)?$)/, '+'));
    if (instant !== undefined) return instant;
    context.addIssue('must be a date of ISO 8601, like 2030-01-31T09:00:00Z');
    return z.NEVER;
  })
  .refine((date) => date.getTime() > Date.now(), 'must be in the future')
  .refine((date) => !(date.getTime() > LATEST), 'must be before the year 10000, UTC');

/** A flag in a query; false if absent. */
export const flag = z
  .enum(['true', 'false'], 'must be true or false')
  .default('false')
  .transform((text) => text === 'true');

export const idSchema = z.object({ id: uuid });
export const idsSchema = z.object({
  ids: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.uuid('must be UUIDs, separated by commas').toLowerCase()))
    .transform((ids) => [...new Set(ids)])
    .refine((ids) => ids.length <= 100, 'must be at most 100'),
});
