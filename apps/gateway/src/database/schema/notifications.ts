import { sql } from 'drizzle-orm';
import { boolean, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { users } from './accounts.js';
import { id, instant } from './columns.js';

export const notificationLevels = ['Error', 'Info', 'Warning'] as const;
export const notificationTargets = ['Both', 'Legacy', 'Modern'] as const;
export type NotificationLevel = (typeof notificationLevels)[number];
export type NotificationTarget = (typeof notificationTargets)[number];

/** Notifications from administrators to everyone. The system notification that is shown is the newest one not cleared. */
export const notifications = pgTable(
  'notifications',
  {
    id: id(),
    kind: text('kind', { enum: ['release', 'system'] }).notNull(),
    message: text('message').notNull(),
    critical: boolean('critical').notNull().default(false),
    level: text('level', { enum: notificationLevels }),
    target: text('target', { enum: notificationTargets }),
    date: instant('date').notNull(),
    cleared: instant('cleared_utc'),
    createdBy: uuid('created_by').references(() => users.id, { onDelete: 'set null' }),
  },
  (table) => [
    // One is shown at a time.
    uniqueIndex('notifications_standing')
      .on(table.kind)
      .where(sql`${table.kind} = 'system' AND ${table.cleared} IS NULL`),
  ],
);
