import * as z from 'zod/mini';

/** Who may see a message. A message with several audiences reaches each connection once. */
const audience = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('user'), id: z.string() }),
  z.object({ kind: z.literal('organization'), id: z.string() }),
  z.object({ kind: z.literal('everyone') }),
]);
export type Audience = z.infer<typeof audience>;

export const everyone: Audience = { kind: 'everyone' };
export const user = (id: string): Audience => ({ kind: 'user', id });
export const organization = (id: string): Audience => ({ kind: 'organization', id });
