import { pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { created, id, instant, texts } from './columns.js';

export const users = pgTable('users', {
  id: id(),
  /** In lower case. */
  email: text('email').notNull().unique(),
  fullName: text('full_name').notNull(),
  passwordHash: text('password_hash').notNull(),
  roles: texts('roles'),
  created: created(),
  /** When an administrator locked it. */
  locked: instant('locked_utc'),
});

/** A link that sets a new password. An account has one; a new one replaces it. */
export const passwordResets = pgTable('password_resets', {
  userId: uuid('user_id')
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  /** SHA-256 of the link's secret, which has 256 random bits. */
  hash: text('hash').notNull().unique(),
  /** The administrator who made the link. */
  offeredBy: uuid('offered_by').references(() => users.id, { onDelete: 'cascade' }),
  expires: instant('expires_utc').notNull(),
});
