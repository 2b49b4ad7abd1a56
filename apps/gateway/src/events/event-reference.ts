import { sql, type SQL } from 'drizzle-orm';
import { events } from '../database/schema/events.js';
import { cutText } from '../parsing/text.js';

/** Characters of an id that a client gives. */
const LONGEST_REFERENCE = 200;

/**
 * An id that a client gives: of an event, a session or a user. It is cut in one way wherever it comes, so that what is said
 * of an event finds it.
 */
export const readReference = (text: string): string => cutText(text, LONGEST_REFERENCE);

/** The id of the newest event with a reference; null if there is none. */
export const newestOf = (projectId: string, reference: string | SQL): SQL =>
  sql`(SELECT one.id FROM ${events} AS one WHERE one.project_id = ${projectId} AND one.reference_id = ${reference}
    ORDER BY one.date DESC LIMIT 1)`;

/** The id of a session's event: by its reference, else the newest session of that user, or else the user's newest event. */
export const sessionOf = (projectId: string, id: string | SQL): SQL =>
  sql`COALESCE(${newestOf(projectId, id)},
    (SELECT one.id FROM ${events} AS one WHERE one.project_id = ${projectId} AND one.user_identity = ${id}
    ORDER BY (one.type = 'session') DESC, one.date DESC LIMIT 1))`;
