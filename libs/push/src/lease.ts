import type { OwnerId } from './principal.js';

export type ConnectionId = string;

/** Under whose limit a place counts. */
export interface LeaseOwner {
  readonly owner: OwnerId;
  readonly limit: number;
}

export type Acquired =
  | { readonly outcome: 'acquired' | 'taken_over' }
  /** The first of the owners whose places are all taken. */
  | { readonly outcome: 'full'; readonly owner: OwnerId };

/**
 * A port: counts a connection's place under the limits of its owners, one or two, across all replicas.
 * Acquiring and releasing are atomic; releasing what is not held does nothing.
 */
export interface LeaseStore {
  /**
   * Takes a place of each owner that has fewer than its limit, or of none. With `replaces`, the places that exactly these
   * owners hold for that connection are handed over instead, at the limits too.
   */
  acquire(
    owners: readonly LeaseOwner[],
    connection: ConnectionId,
    replaces?: ConnectionId,
  ): Promise<Acquired>;
  release(owners: readonly Pick<LeaseOwner, 'owner'>[], connection: ConnectionId): Promise<void>;
  close(): Promise<void>;
}
