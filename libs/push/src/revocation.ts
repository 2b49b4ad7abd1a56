import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import type { Hub } from './hub.js';

/** Closes every open stream of a token that was revoked, in this very turn. A stream that is opening authenticates again. */
export function revokeToken(tokenId: string, hub: Hub, { metrics }: Pick<Environment, 'metrics'>): void {
  metrics.revocations += 1;
  for (const connection of [...hub.ofToken(tokenId)]) revoke(connection);
}

export function revoke(connection: Connection): void {
  connection.close('revoked', 'The token was revoked.');
}
