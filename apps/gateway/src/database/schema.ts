import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 });
const texts = (name: string) =>
  text(name)
    .array()
    .notNull()
    .default(sql`'{}'::text[]`);
const id = () => uuid('id').primaryKey().defaultRandom();
const created = () => instant('created_utc').notNull().defaultNow();

export const users = pgTable('users', {
  id: id(),
  /** In lower case. */
  email: text('email').notNull().unique(),
  fullName: text('full_name').notNull(),
  passwordHash: text('password_hash').notNull(),
  roles: texts('roles'),
  created: created(),
});

export const organizations = pgTable('organizations', {
  id: id(),
  name: text('name').notNull(),
  planId: text('plan_id').notNull().default('free'),
  created: created(),
});

const organizationId = () =>
  uuid('organization_id')
    .notNull()
    .references(() => organizations.id, { onDelete: 'cascade' });

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

export const projects = pgTable(
  'projects',
  { id: id(), organizationId: organizationId(), name: text('name').notNull(), created: created() },
  (table) => [index('projects_organization').on(table.organizationId, table.created, table.id)],
);

const projectId = () =>
  uuid('project_id')
    .notNull()
    .references(() => projects.id, { onDelete: 'cascade' });

export const tokens = pgTable(
  'tokens',
  {
    id: id(),
    /** SHA-256 of the token, which has 256 random bits: nothing to guess, so nothing slower is needed. */
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
  (table) => [index('tokens_user').on(table.userId), index('tokens_project').on(table.projectId)],
);

export const stackStatuses = ['open', 'fixed', 'regressed', 'snoozed', 'ignored', 'discarded'] as const;
export type StackStatus = (typeof stackStatuses)[number];

export const stacks = pgTable(
  'stacks',
  {
    id: id(),
    organizationId: organizationId(),
    projectId: projectId(),
    signature: text('signature').notNull(),
    type: text('type').notNull(),
    status: text('status', { enum: stackStatuses }).notNull().default('open'),
    title: text('title').notNull(),
    totalOccurrences: bigint('total_occurrences', { mode: 'number' }).notNull(),
    firstOccurrence: instant('first_occurrence').notNull(),
    lastOccurrence: instant('last_occurrence').notNull(),
    snoozeUntil: instant('snooze_until_utc'),
    dateFixed: instant('date_fixed'),
    occurrencesAreCritical: boolean('occurrences_are_critical').notNull().default(false),
    tags: texts('tags'),
  },
  (table) => [
    uniqueIndex('stacks_signature').on(table.projectId, table.signature),
    index('stacks_organization_last').on(table.organizationId, table.lastOccurrence.desc(), table.id.desc()),
    index('stacks_project_last').on(table.projectId, table.lastOccurrence.desc(), table.id.desc()),
  ],
);

export const events = pgTable(
  'events',
  {
    id: id(),
    organizationId: organizationId(),
    projectId: projectId(),
    stackId: uuid('stack_id')
      .notNull()
      .references(() => stacks.id, { onDelete: 'cascade' }),
    type: text('type').notNull(),
    message: text('message'),
    date: instant('date').notNull(),
    data: jsonb('data').$type<Record<string, unknown>>().notNull(),
    tags: texts('tags'),
    referenceId: text('reference_id'),
    created: created(),
  },
  (table) => [
    index('events_stack').on(table.stackId, table.date.desc(), table.id.desc()),
    index('events_project').on(table.projectId, table.date.desc(), table.id.desc()),
    index('events_reference').on(table.projectId, table.referenceId),
  ],
);
