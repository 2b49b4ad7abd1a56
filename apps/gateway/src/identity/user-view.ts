import { z } from 'zod';
import type { users } from '../database/schema/accounts.js';

export const userView = z.object({
  id: z.uuid(),
  email_address: z.string(),
  full_name: z.string(),
  roles: z.array(z.string()),
});

export function toUserView({
  id,
  email,
  fullName,
  roles,
}: typeof users.$inferSelect): z.input<typeof userView> {
  return { id, email_address: email, full_name: fullName, roles };
}
