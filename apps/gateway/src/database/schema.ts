import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { planIds } from '../organizations/plans.js';

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
  /** Since when an administrator keeps it from logging in. */
  locked: instant('locked_utc'),
});

/** A link that sets a new password: one for each account, and a new one takes the old one's place. */
export const passwordResets = pgTable('password_resets', {
  userId: uuid('user_id')
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  /** SHA-256 of the link's secret, which has 256 random bits. */
  hash: text('hash').notNull().unique(),
  /** The administrator who was given the link. */
  offeredBy: uuid('offered_by').references(() => users.id, { onDelete: 'cascade' }),
  expires: instant('expires_utc').notNull(),
});

export const organizations = pgTable('organizations', {
  id: id(),
  name: text('name').notNull(),
  planId: text('plan_id', { enum: planIds }).notNull().default('free'),
  created: created(),
});

/** How many events an organization has sent in each month and hour, and how many of them its plan had no room for. */
export const usage = pgTable(
  'usage',
  {
    organizationId: uuid('organization_id')
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    period: text('period', { enum: ['month', 'hour'] }).notNull(),
    start: instant('start_utc').notNull(),
    /** Those that were kept. */
    total: bigint('total', { mode: 'number' }).notNull().default(0),
    /** Those that were not: the plan had no room for them. */
    dropped: bigint('dropped', { mode: 'number' }).notNull().default(0),
    /** A batch did not fit, or not all of it, and the organization was told. */
    isOver: boolean('is_over').notNull().default(false),
  },
  (table) => [primaryKey({ columns: [table.organizationId, table.period, table.start] })],
);

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

/** Who was asked to become a member. It ends by being accepted or withdrawn, which deletes it, or with its time. */
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
     * The account that had the address when the invitation was made. No foreign key: checking one would take a little
     * longer for an address that has an account, and so tell that it has one.
     */
    accountId: uuid('account_id'),
    /** That account does not want it, and is not shown it any more. To members it looks as before. */
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
    // Ascending, and read backwards: an index that descends with its nulls last serves no plain ORDER BY … DESC.
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
    /** Of its user. */
    userIdentity: text('user_identity'),
    /** What clients say later stands beside the data, which may be megabytes, and must not be written again for it. */
    sessionLastActivity: instant('session_last_activity_utc'),
    sessionClosed: boolean('session_closed'),
    userDescription: jsonb('user_description').$type<Record<string, unknown>>(),
    created: created(),
  },
  (table) => [
    index('events_stack').on(table.stackId, table.date, table.id),
    index('events_project').on(table.projectId, table.date, table.id),
    // With the date: the newest of many events with one reference is found without reading the others.
    index('events_reference_newest')
      .on(table.projectId, table.referenceId, table.date)
      .where(sql`${table.referenceId} IS NOT NULL`),
    // A user's sessions before their other events, for the same reason.
    index('events_session_newest')
      .on(table.projectId, table.userIdentity, sql`(${table.type} = 'session')`, table.date)
      .where(sql`${table.userIdentity} IS NOT NULL`),
  ],
);

/** What clients said of events that have not come yet. */
export const earlyAmendments = pgTable(
  'early_amendments',
  {
    projectId: projectId(),
    kind: text('kind', { enum: ['description', 'heartbeat'] }).notNull(),
    /** The event's reference, or the identity of its user. */
    reference: text('reference').notNull(),
    /** Of a description. */
    said: jsonb('said').$type<Record<string, unknown>>(),
    /** Of a heartbeat. */
    closed: boolean('closed'),
    noted: instant('noted_utc').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.projectId, table.kind, table.reference] }),
    index('early_amendments_oldest').on(table.projectId, table.kind, table.noted),
    index('early_amendments_noted').on(table.noted),
  ],
);

export const notificationLevels = ['Error', 'Info', 'Warning'] as const;
export const notificationTargets = ['Both', 'Legacy', 'Modern'] as const;

/** What administrators told everyone. The system notification that stands is the newest that was not cleared. */
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
    // One stands at a time.
    uniqueIndex('notifications_standing')
      .on(table.kind)
      .where(sql`${table.kind} = 'system' AND ${table.cleared} IS NULL`),
  ],
);

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
