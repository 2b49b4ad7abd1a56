import * as z from 'zod/mini';

/**
 * What a record changes about open connections, applied on every replica before the record is routed.
 * - `membership`: the user's connections join or leave the organization.
 * - `revocation`: connections that were opened with the token are closed.
 */
export const effect = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('membership'),
    change: z.enum(['added', 'removed']),
    user_id: z.string(),
    organization_id: z.string(),
  }),
  z.object({ kind: z.literal('revocation'), token_id: z.string() }),
]);
export type Effect = z.infer<typeof effect>;
