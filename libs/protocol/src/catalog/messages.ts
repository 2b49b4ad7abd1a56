import * as z from 'zod/mini';

/** What happened to an entity: 0 added, 1 saved, 2 removed. */
export const ChangeType = { Added: 0, Saved: 1, Removed: 2 } as const;
export type ChangeType = (typeof ChangeType)[keyof typeof ChangeType];

const changeType = z.literal([ChangeType.Added, ChangeType.Saved, ChangeType.Removed]);

/** "What you hold of this entity is stale." */
export const entityChanged = z.object({
  type: z.string(),
  id: z.optional(z.string()),
  organization_id: z.optional(z.string()),
  project_id: z.optional(z.string()),
  stack_id: z.optional(z.string()),
  change_type: changeType,
  data: z._default(z.record(z.string(), z.unknown()), {}),
});
export type EntityChanged = z.infer<typeof entityChanged>;

export const planChanged = z.object({ organization_id: z.string() });
export type PlanChanged = z.infer<typeof planChanged>;

export const planOverage = z.object({ organization_id: z.string(), is_hourly: z.boolean() });
export type PlanOverage = z.infer<typeof planOverage>;

export const userMembershipChanged = z.object({
  change_type: changeType,
  user_id: z.string(),
  organization_id: z.string(),
});
export type UserMembershipChanged = z.infer<typeof userMembershipChanged>;

export const releaseNotification = z.object({
  critical: z.boolean(),
  date: z.iso.datetime(),
  message: z.optional(z.string()),
});
export type ReleaseNotification = z.infer<typeof releaseNotification>;

export const systemNotification = z.object({
  date: z.iso.datetime(),
  message: z.optional(z.string()),
  level: z.optional(z.enum(['Error', 'Info', 'Warning'])),
  target: z.optional(z.enum(['Both', 'Legacy', 'Modern'])),
});
export type SystemNotification = z.infer<typeof systemNotification>;
