import { sql } from 'drizzle-orm';
import { index, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { users } from './accounts.js';
import { created, id, instant, texts } from './columns.js';
import { organizations, projects } from './organizations.js';

export const tokens = pgTable(
  'tokens',
  {
    id: id(),
    /** SHA-256 of the token. It has 256 random bits, so nobody can guess it, and no slower hash is needed. */
    hash: text('hash').notNull().unique(),
    kind: text('kind', { enum: ['login', 'project', 'service'] }).notNull(),
    userId: uuid('user_id').references(() => users.id, { onDelete: 'cascade' }),
    organizationId: uuid('organization_id').references(() => organizations.id, { onDelete: 'cascade' }),
    projectId: uuid('project_id').references(() => projects.id, { onDelete: 'cascade' }),
    scopes: texts('scopes'),
    notes: text('notes'),
    userAgent: text('user_agent'),
    created: created(),
    lastUsed: instant('last_used_utc'),
    expires: instant('expires_utc'),
  },
  (table) => [
    index('tokens_user').on(table.userId),
    index('tokens_project').on(table.projectId),
    index('tokens_service')
      .on(table.created)
      .where(sql`${table.kind} = 'service'`),
    index('tokens_expires')
      .on(table.expires)
      .where(sql`${table.expires} IS NOT NULL`),
  ],
);
