import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  doublePrecision,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { created, id, instant, texts } from './columns.js';
import { organizationId, projectId } from './organizations.js';

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
    // Ascending, and scanned backwards: a descending index with nulls last does not serve a plain ORDER BY … DESC.
    index('stacks_organization_last').on(table.organizationId, table.lastOccurrence, table.id),
    index('stacks_organization_first').on(table.organizationId, table.firstOccurrence, table.id),
    index('stacks_organization_occurrences').on(table.organizationId, table.totalOccurrences, table.id),
    index('stacks_organization_status').on(table.organizationId, table.status),
    index('stacks_project_last').on(table.projectId, table.lastOccurrence, table.id),
    index('stacks_project_first').on(table.projectId, table.firstOccurrence, table.id),
    index('stacks_project_occurrences').on(table.projectId, table.totalOccurrences, table.id),
    index('stacks_project_status').on(table.projectId, table.status),
    index('stacks_title').using('gin', table.title.op('gin_trgm_ops')),
    index('stacks_snoozed')
      .on(table.snoozeUntil)
      .where(sql`${table.status} = 'snoozed'`),
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
    value: doublePrecision('value'),
    geo: text('geo'),
    date: instant('date').notNull(),
    data: jsonb('data').$type<Record<string, unknown>>().notNull(),
    tags: texts('tags'),
    referenceId: text('reference_id'),
    /** The identity of the event's user. */
    userIdentity: text('user_identity'),
    /** Amendments have columns of their own: the data may be megabytes, and must not be rewritten for them. */
    sessionLastActivity: instant('session_last_activity_utc'),
    sessionClosed: boolean('session_closed'),
    userDescription: jsonb('user_description').$type<Record<string, unknown>>(),
    created: created(),
  },
  (table) => [
    index('events_stack').on(table.stackId, table.date, table.id),
    index('events_project').on(table.projectId, table.date, table.id),
    // With the date, so that the newest of many events with one reference is found without reading the others.
    index('events_reference_newest')
      .on(table.projectId, table.referenceId, table.date)
      .where(sql`${table.referenceId} IS NOT NULL`),
    // A user's sessions before their other events, for the same reason.
    index('events_session_newest')
      .on(table.projectId, table.userIdentity, sql`(${table.type} = 'session')`, table.date)
      .where(sql`${table.userIdentity} IS NOT NULL`),
  ],
);

/** Amendments of events that have not come yet. */
export const pendingAmendments = pgTable(
  'early_amendments',
  {
    projectId: projectId(),
    kind: text('kind', { enum: ['description', 'heartbeat'] }).notNull(),
    /** The event's reference, or the identity of its user. */
    reference: text('reference').notNull(),
    /** For a description: what the user said. */
    said: jsonb('said').$type<Record<string, unknown>>(),
    /** For a heartbeat: whether it closed the session. */
    closed: boolean('closed'),
    noted: instant('noted_utc').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.kind, table.reference] }),
    index('early_amendments_oldest').on(table.projectId, table.kind, table.noted),
    index('early_amendments_noted').on(table.noted),
  ],
);
