import { sql, type SQL } from 'drizzle-orm';
import { events } from '../database/schema/events.js';
import { cutText } from '../parsing/text.js';

/** Characters of an id that a client chose. */
const LONGEST_REFERENCE = 200;

/**
 * Reads an id that a client chose: of an event, a session or a user. It is cut in the same way everywhere, so that
 * amendments find their event.
 */
export const readReference = (text: string): string => cutText(text, LONGEST_REFERENCE);

/** The id of the newest event with a reference; null if there is none. */
export const newestOf = (projectId: string, reference: string | SQL): SQL =>
  sql`(SELECT one.id FROM ${events} AS one WHERE one.project_id = ${projectId} AND one.reference_id = ${reference}
    ORDER BY one.date DESC LIMIT 1)`;

/** The id of a session's event: by its reference, else the user's newest session, else the user's newest event. */
export const sessionOf = (projectId: string, id: string | SQL): SQL =>
  sql`COALESCE(${newestOf(projectId, id)},
    (SELECT one.id FROM ${events} AS one WHERE one.project_id = ${projectId} AND one.user_identity = ${id}
    ORDER BY (one.type = 'session') DESC, one.date DESC LIMIT 1))`;
