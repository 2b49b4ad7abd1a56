import { z } from 'zod';
import { stackStatuses, type events, type stacks } from '../database/schema/events.js';
import { instant } from '../http/schemas.js';

export const stackView = z.object({
  id: z.uuid(),
  organization_id: z.uuid(),
  project_id: z.uuid(),
  type: z.string(),
  status: z.enum(stackStatuses),
  title: z.string(),
  total_occurrences: z.int(),
  first_occurrence: instant,
  last_occurrence: instant,
  snooze_until_utc: instant.nullable(),
  date_fixed: instant.nullable(),
  occurrences_are_critical: z.boolean(),
  tags: z.array(z.string()),
});

export function toStackView(row: typeof stacks.$inferSelect): z.input<typeof stackView> {
  return {
    id: row.id,
    organization_id: row.organizationId,
    project_id: row.projectId,
    type: row.type,
    status: row.status,
    title: row.title,
    total_occurrences: row.totalOccurrences,
    first_occurrence: row.firstOccurrence,
    last_occurrence: row.lastOccurrence,
    snooze_until_utc: row.snoozeUntil,
    date_fixed: row.dateFixed,
    occurrences_are_critical: row.occurrencesAreCritical,
    tags: row.tags,
  };
}

export const eventView = z.object({
  id: z.uuid(),
  stack_id: z.uuid(),
  project_id: z.uuid(),
  organization_id: z.uuid(),
  type: z.string(),
  message: z.string().nullable(),
  value: z.number().nullable(),
  geo: z.string().nullable().meta({ description: 'latitude and longitude' }),
  date: instant,
  data: z.record(z.string(), z.unknown()),
  tags: z.array(z.string()),
  reference_id: z.string().nullable(),
});

export function toEventView(row: typeof events.$inferSelect): z.input<typeof eventView> {
  return {
    id: row.id,
    stack_id: row.stackId,
    project_id: row.projectId,
    organization_id: row.organizationId,
    type: row.type,
    message: row.message,
    value: row.value,
    geo: row.geo,
    date: row.date,
    data: { ...row.data, ...amendmentsOf(row) },
    tags: row.tags,
    reference_id: row.referenceId,
  };
}

/** The amendments of an event, in the form that client libraries know. */
function amendmentsOf({ sessionLastActivity, sessionClosed, userDescription }: typeof events.$inferSelect) {
  return {
    ...(sessionLastActivity === null
      ? {}
      : {
          '@session': {
            last_activity_utc: sessionLastActivity.toISOString(),
            is_closed: sessionClosed ?? false,
          },
        }),
    ...(userDescription === null ? {} : { '@user_description': userDescription }),
  };
}
