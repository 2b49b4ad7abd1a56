import type { OwnerId } from './principal.js';

export type ConnectionId = string;

/**
 * A port: counts a connection's place under its owner's limit, across all replicas.
 * Acquiring and releasing are atomic; releasing what is not held does nothing.
 */
export interface LeaseStore {
  /**
   * Takes a place if fewer than `limit` are taken. With `replaces`, a place that this owner holds for that connection
   * is handed over instead, at the limit too. Says whether the place was taken over, taken, or refused.
   */
  acquire(
    owner: OwnerId,
    connection: ConnectionId,
    limit: number,
    replaces?: ConnectionId,
  ): Promise<'acquired' | 'taken_over' | 'full'>;
  release(owner: OwnerId, connection: ConnectionId): Promise<void>;
  close(): Promise<void>;
}
