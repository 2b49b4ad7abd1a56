import type { ChangeType } from '@crossfade/protocol/catalog';
import type { tokens } from '../database/schema/tokens.js';
import type { Publish } from '../database/transactions.js';

/** The message that a token was added or removed: for the user of a login token, else for the token's organization. */
export function tokenChanged(
  { id, userId, organizationId, projectId }: typeof tokens.$inferSelect,
  change: ChangeType,
): Parameters<Publish>[0] {
  return {
    type: 'TokenChanged',
    message: {
      type: 'Token',
      id,
      ...(organizationId === null ? {} : { organization_id: organizationId }),
      ...(projectId === null ? {} : { project_id: projectId }),
      change_type: change,
      data: userId === null ? {} : { user_id: userId, is_authentication_token: true },
    },
  };
}
