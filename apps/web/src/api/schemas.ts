import * as z from 'zod/mini';

export const stackStatuses = ['open', 'fixed', 'regressed', 'snoozed', 'ignored', 'discarded'] as const;

/** Bodies of the REST API's responses, as far as this app reads them. */
export const stack = z.object({
  id: z.string(),
  organization_id: z.string(),
  project_id: z.string(),
  type: z.string(),
  status: z.enum(stackStatuses),
  title: z.string(),
  total_occurrences: z.number(),
  first_occurrence: z.string(),
  last_occurrence: z.string(),
  snooze_until_utc: z.nullable(z.string()),
  occurrences_are_critical: z.boolean(),
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

/** null: any number of events. */
const limit = z.nullable(z.number());
const periodUsage = z.object({ total: z.number(), limit, dropped: z.number() });
export const organization = z.object({
  id: z.string(),
  name: z.string(),
  plan_id: z.string(),
  usage: z.object({ month: periodUsage, hour: periodUsage }),
  is_over_monthly_limit: z.boolean(),
  is_over_hourly_limit: z.boolean(),
});
export type Organization = z.infer<typeof organization>;

const planLimits = z.object({ month: limit, hour: limit });
export type PlanLimits = z.infer<typeof planLimits>;
export const plans = z.object({ plans: z.array(z.object({ id: z.string(), limits: planLimits })) });

export const project = z.object({ id: z.string(), organization_id: z.string(), name: z.string() });

export const ingestToken = z.object({
  id: z.string(),
  scopes: z.array(z.string()),
  notes: z.nullable(z.string()),
  created_utc: z.string(),
});
export const newToken = z.extend(ingestToken, { token: z.string() });

export const loginSession = z.object({
  id: z.string(),
  created_utc: z.string(),
  last_used_utc: z.nullable(z.string()),
  user_agent: z.nullable(z.string()),
  is_current: z.boolean(),
});

export const serviceToken = z.extend(ingestToken, {
  organization_id: z.nullable(z.string()),
  last_used_utc: z.nullable(z.string()),
});

/** An invitation, as its link shows it. */
export const invitation = z.object({
  organization_name: z.string(),
  invited_by: z.nullable(z.string()),
  expires_utc: z.string(),
});
export type Invitation = z.infer<typeof invitation>;
export const receivedInvitation = z.extend(invitation, { id: z.string(), organization_id: z.string() });
export const sentInvitation = z.object({
  id: z.string(),
  email_address: z.string(),
  invited_by: z.nullable(z.string()),
  expires_utc: z.string(),
});
export const newInvitation = z.extend(sentInvitation, { link: z.string() });
export const joined = z.object({ organization_id: z.string(), organization_name: z.string() });
export const passwordReset = z.object({ link: z.string(), expires_utc: z.string() });

export const notificationLevels = ['Info', 'Warning', 'Error'] as const;
export const notificationTargets = ['Both', 'Modern', 'Legacy'] as const;
export const notification = z.object({
  date: z.string(),
  message: z.string(),
  level: z._default(z.enum(notificationLevels), 'Info'),
  target: z._default(z.enum(notificationTargets), 'Both'),
});
export type Notification = z.infer<typeof notification>;

export const user = z.object({
  id: z.string(),
  email_address: z.string(),
  full_name: z.string(),
  roles: z.array(z.string()),
});

export const account = z.extend(user, { created_utc: z.string(), locked_utc: z.nullable(z.string()) });

export const login = z.object({ token: z.string() });
export const problem = z.object({ status: z.number(), detail: z.string() });
