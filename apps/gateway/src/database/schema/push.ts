import { sql } from 'drizzle-orm';
import {
  bigserial,
  boolean,
  check,
  index,
  integer,
  numeric,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core';
import { created, instant } from './columns.js';
import { tokens } from './tokens.js';

/** The message log of this installation: its name, and how often it was opened. It has one row. */
export const pushLog = pgTable(
  'push_log',
  {
    only: boolean('only').primaryKey().default(true),
    name: text('name').notNull(),
    generation: integer('generation').notNull().default(1),
    /** The last cursor whose message was dropped. */
    floor: text('floor'),
  },
  (table) => [check('push_log_only', sql`${table.only}`)],
);

/** Requests of services with an `Idempotency-Key`, for as long as they may be repeated. */
export const pushRequests = pgTable(
  'push_requests',
  {
    tokenId: uuid('token_id')
      .notNull()
      .references(() => tokens.id, { onDelete: 'cascade' }),
    /** Its `Idempotency-Key`. */
    key: text('key').notNull(),
    /** SHA-256. */
    bodyHash: text('body_hash').notNull(),
    /** The ids in its response. */
    ids: uuid('ids').array().notNull(),
    created: created(),
  },
  (table) => [
    primaryKey({ columns: [table.tokenId, table.key] }),
    index('push_requests_created').on(table.created),
  ],
);

/**
 * The outbox: messages, recorded in the transaction of their change. A row without a cursor is in no log yet. Rows of
 * messages that are not critical have none: they are removed once the log has them.
 */
export const pushMessages = pgTable(
  'push_messages',
  {
    /** The order in which they were recorded; transactions commit in another one. */
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    recordId: uuid('record_id').notNull().unique(),
    /** JSON, see `outbox-rows.ts`. The type is text because a string in it may contain NUL. */
    message: text('message').notNull(),
    critical: boolean('critical').notNull().default(true),
    cursor: text('cursor'),
    /** The offset in the log. */
    place: numeric('place'),
    /** When it was recorded. `now()` would be when its transaction began, which may be long ago. */
    created: instant('created_utc')
      .notNull()
      .default(sql`clock_timestamp()`),
  },
  (table) => [
    index('push_messages_in_no_log')
      .on(table.id)
      .where(sql`${table.cursor} IS NULL`),
    index('push_messages_critical_created')
      .on(table.created)
      .where(sql`${table.critical}`),
  ],
);
