import { bigint, boolean, index, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { users } from './accounts.js';
import { created, id, instant } from './columns.js';

export const planIds = ['free', 'small', 'unlimited'] as const;
export type PlanId = (typeof planIds)[number];

export const organizations = pgTable('organizations', {
  id: id(),
  name: text('name').notNull(),
  planId: text('plan_id', { enum: planIds }).notNull().default('free'),
  created: created(),
});

export const organizationId = () =>
  uuid('organization_id')
    .notNull()
    .references(() => organizations.id, { onDelete: 'cascade' });

/** How many events an organization has sent in each month and hour, and how many of them exceeded its plan. */
export const usage = pgTable(
  'usage',
  {
    organizationId: organizationId(),
    period: text('period', { enum: ['month', 'hour'] }).notNull(),
    start: instant('start_utc').notNull(),
    /** Events that were kept. */
    total: bigint('total', { mode: 'number' }).notNull().default(0),
    /** Events that exceeded the plan. */
    dropped: bigint('dropped', { mode: 'number' }).notNull().default(0),
    /** A batch did not fit entirely, and the organization was told. */
    isOver: boolean('is_over').notNull().default(false),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.period, table.start] })],
);

export const memberships = pgTable(
  'memberships',
  {
    organizationId: organizationId(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    created: created(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.userId] }),
    index('memberships_user').on(table.userId),
  ],
);

/** Invitations to become a member. One ends when it is accepted or withdrawn, which deletes it, or when it expires. */
export const invitations = pgTable(
  'invitations',
  {
    id: id(),
    organizationId: organizationId(),
    /** In lower case. */
    email: text('email').notNull(),
    /** SHA-256 of the link's secret, which has 256 random bits. */
    hash: text('hash').notNull().unique(),
    invitedBy: uuid('invited_by').references(() => users.id, { onDelete: 'set null' }),
    /**
     * The account that had the address when the invitation was made. Not a foreign key: its check would take a little
     * longer for an address that has an account, and so reveal that it has one.
     */
    accountId: uuid('account_id'),
    /** When that account declined it. The account no longer sees it; members see no change. */
    declined: instant('declined_utc'),
    created: created(),
    expires: instant('expires_utc').notNull(),
  },
  (table) => [
    uniqueIndex('invitations_address').on(table.organizationId, table.email),
    index('invitations_account').on(table.accountId),
    index('invitations_inviter').on(table.invitedBy),
    index('invitations_expires').on(table.expires),
  ],
);

export const projects = pgTable(
  'projects',
  { id: id(), organizationId: organizationId(), name: text('name').notNull(), created: created() },
  (table) => [index('projects_organization').on(table.organizationId, table.created, table.id)],
);

export const projectId = () =>
  uuid('project_id')
    .notNull()
    .references(() => projects.id, { onDelete: 'cascade' });
