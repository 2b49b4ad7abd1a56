import type { Acquired, ConnectionId, LeaseHolders, LeaseOwner, LeaseStore } from '../lease.js';
import type { OwnerId } from '../principal.js';

/** Leases of one process, in memory. Bounded by the connections that are open. */
export class MemoryLeaseStore implements LeaseStore {
  /** No owner has an empty set. */
  readonly #held = new Map<OwnerId, Set<ConnectionId>>();

  async start(holders: LeaseHolders): Promise<void> {
    for (const { connection, owners } of [...holders.held()]) {
      const { outcome } = await this.acquire(owners, connection);
      if (outcome === 'full') holders.lost(connection, 'lease_lost');
    }
  }

  async acquire(
    owners: readonly LeaseOwner[],
    connection: ConnectionId,
    replaces?: ConnectionId,
  ): Promise<Acquired> {
    const takesOver =
      replaces !== undefined && owners.every(({ owner }) => this.#held.get(owner)?.has(replaces) === true);
    const full = takesOver ? undefined : owners.find(({ owner, limit }) => this.count(owner) >= limit);
    if (full !== undefined) return { outcome: 'full', owner: full.owner };
    for (const { owner } of owners) {
      const held = this.#held.get(owner) ?? new Set();
      if (takesOver) held.delete(replaces);
      this.#held.set(owner, held.add(connection));
    }
    return { outcome: takesOver ? 'taken_over' : 'acquired' };
  }

  async release(owners: readonly Pick<LeaseOwner, 'owner'>[], connection: ConnectionId): Promise<void> {
    for (const { owner } of owners) {
      const held = this.#held.get(owner);
      held?.delete(connection);
      if (held?.size === 0) this.#held.delete(owner);
    }
  }

  async close(): Promise<void> {
    this.#held.clear();
  }

  /** Connections that hold a lease, of one owner or of all. */
  count(owner?: OwnerId): number {
    if (owner !== undefined) return this.#held.get(owner)?.size ?? 0;
    return new Set([...this.#held.values()].flatMap((held) => [...held])).size;
  }
}
