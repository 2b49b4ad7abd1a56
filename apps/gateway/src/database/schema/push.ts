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
import { created } from './columns.js';
import { tokens } from './tokens.js';

/** The message log of this installation: its name, and how often it was opened. One row. */
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

/** Requests of other services that named themselves, for as long as they may be repeated. */
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
    /** What it was answered with. */
    ids: uuid('ids').array().notNull(),
    created: created(),
  },
  (table) => [
    primaryKey({ columns: [table.tokenId, table.key] }),
    index('push_requests_created').on(table.created),
  ],
);

/** Critical messages, recorded with the change that they tell of. Without a cursor: nobody has been handed it yet. */
export const pushMessages = pgTable(
  'push_messages',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    recordId: uuid('record_id').notNull().unique(),
    /** JSON. As text: any string can be in it, NUL included. */
    message: text('message').notNull(),
    cursor: text('cursor'),
    /** In the log's order. */
    place: numeric('place'),
    created: created(),
  },
  (table) => [index('push_messages_place').on(table.place), index('push_messages_created').on(table.created)],
);
