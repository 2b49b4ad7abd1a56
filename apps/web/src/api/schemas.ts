import * as z from 'zod/mini';

/** What the REST API answers, as far as this app reads it. */
export const stack = z.object({
  id: z.string(),
  organization_id: z.string(),
  project_id: z.string(),
  type: z.string(),
  status: z.enum(['open', 'fixed', 'regressed', 'snoozed', 'ignored', 'discarded']),
  title: z.string(),
  total_occurrences: z.number(),
  first_occurrence: z.string(),
  last_occurrence: z.string(),
  tags: z.array(z.string()),
});
export type Stack = z.infer<typeof stack>;

export const event = z.object({
  id: z.string(),
  stack_id: z.string(),
  type: z.string(),
  message: z.nullable(z.string()),
  date: z.string(),
  data: z.record(z.string(), z.unknown()),
  tags: z.array(z.string()),
  reference_id: z.nullable(z.string()),
});
export type Event = z.infer<typeof event>;

export const organization = z.object({ id: z.string(), name: z.string(), plan_id: z.string() });
export type Organization = z.infer<typeof organization>;

export const project = z.object({ id: z.string(), organization_id: z.string(), name: z.string() });

export const me = z.object({
  id: z.string(),
  email_address: z.string(),
  full_name: z.string(),
  roles: z.array(z.string()),
});

export const login = z.object({ token: z.string() });
export const problem = z.object({ status: z.number(), detail: z.string() });
