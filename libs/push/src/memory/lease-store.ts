import type { ConnectionId, LeaseStore } from '../lease.js';
import type { OwnerId } from '../principal.js';

/** Leases of one process, in memory. Bounded by the connections that are open. */
export class MemoryLeaseStore implements LeaseStore {
  readonly #held = new Map<OwnerId, Set<ConnectionId>>();

  async acquire(owner: OwnerId, connection: ConnectionId, limit: number, replaces?: ConnectionId) {
    const held = this.#held.get(owner) ?? new Set();
    const takesOver = replaces !== undefined && held.delete(replaces);
    if (!takesOver && held.size >= limit) return 'full' as const;
    held.add(connection);
    this.#held.set(owner, held);
    return takesOver ? ('taken_over' as const) : ('acquired' as const);
  }

  async release(owner: OwnerId, connection: ConnectionId) {
    const held = this.#held.get(owner);
    held?.delete(connection);
    if (held?.size === 0) this.#held.delete(owner);
  }

  async close() {
    this.#held.clear();
  }

  /** Places taken, of one owner or of all. */
  count(owner?: OwnerId): number {
    if (owner !== undefined) return this.#held.get(owner)?.size ?? 0;
    return [...this.#held.values()].reduce((sum, held) => sum + held.size, 0);
  }
}
