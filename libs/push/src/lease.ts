import type { Budgets } from './budgets.js';
import { CALL_MS, withDeadline } from './deadline.js';
import type { Environment } from './environment.js';
import { ownerOf, tenantOf, type OwnerId, type Principal } from './principal.js';

export type ConnectionId = string;

/** Under whose limit a lease counts. */
export interface LeaseOwner {
  readonly owner: OwnerId;
  readonly limit: number;
}

export type Acquired =
  | { readonly outcome: 'acquired' | 'taken_over' }
  /** The first of the owners whose leases are all taken. */
  | { readonly outcome: 'full'; readonly owner: OwnerId };

/**
 * A port: counts a connection's lease under the limits of its owners, one or two, across all replicas.
 * Acquiring and releasing are atomic. Releasing what is not held does nothing.
 */
export interface LeaseStore {
  /**
   * Acquires a lease of each owner that has fewer than its limit, or of none. With `replaces`, the leases that exactly
   * these owners hold for that connection are handed over instead, at the limits too.
   */
  acquire(
    owners: readonly LeaseOwner[],
    connection: ConnectionId,
    replaces?: ConnectionId,
  ): Promise<Acquired>;
  release(owners: readonly Pick<LeaseOwner, 'owner'>[], connection: ConnectionId): Promise<void>;
  close(): Promise<void>;
}

export interface LeaseLimits {
  readonly maxConnectionsPerOwner: number;
  readonly maxConnectionsPerTenant: number;
}

/** An open connection that a lease was taken over from. */
interface Predecessor {
  readonly id: ConnectionId;
  close(reason: 'lease_lost'): void;
}

/** What leases work with. */
export interface LeaseParts {
  readonly store: LeaseStore;
  readonly budgets: Pick<Budgets, 'forget'>;
  readonly environment: Pick<Environment, 'clock' | 'onError'>;
  /** The open connection of that id. */
  readonly openConnection: (id: ConnectionId) => Predecessor | undefined;
}

/** Acquires and releases leases, each call with a deadline. */
export class Leases {
  constructor(
    private readonly limits: LeaseLimits,
    private readonly parts: LeaseParts,
  ) {}

  /**
   * Acquires a lease for a connection, or says whose limit is reached.
   * @throws what the store throws, and DeadlineError. A lease that comes too late is released.
   */
  async acquire(
    principal: Principal,
    connectionId: ConnectionId,
    replaces: ConnectionId | undefined,
  ): Promise<
    | { readonly outcome: 'acquired'; readonly lease: Lease }
    | { readonly outcome: 'full'; readonly full: LeaseOwner }
  > {
    const owners = this.#ownersOf(principal);
    const acquiring = this.parts.store.acquire(owners, connectionId, replaces);
    const leaseOf = ({ outcome }: Acquired): Lease =>
      new Lease(this, owners, connectionId, outcome === 'taken_over' ? replaces : undefined);
    try {
      const acquired = await this.#inTime(acquiring);
      if (acquired.outcome !== 'full') return { outcome: 'acquired', lease: leaseOf(acquired) };
      const limit = owners.find(({ owner }) => owner === acquired.owner)?.limit ?? 0;
      return { outcome: 'full', full: { owner: acquired.owner, limit } };
    } catch (error) {
      // The store may still grant it, and nobody waits for it any more.
      void acquiring.then(
        (acquired) => (acquired.outcome === 'full' ? undefined : leaseOf(acquired).release()),
        () => undefined,
      );
      throw error;
    }
  }

  /** Releases the lease of a connection that has ended. */
  releaseOf({ principal, id }: { readonly principal: Principal; readonly id: ConnectionId }): Promise<void> {
    return this.release(this.#ownersOf(principal), id);
  }

  async release(owners: readonly LeaseOwner[], connectionId: ConnectionId): Promise<void> {
    try {
      await this.#inTime(this.parts.store.release(owners, connectionId));
      for (const { owner } of owners) this.parts.budgets.forget(owner);
    } catch (error) {
      this.parts.environment.onError(error, 'releasing a lease');
    }
  }

  /** Hands a lease back to the connection that it was taken over from, or releases it if that has ended. */
  async handBack(owners: readonly LeaseOwner[], from: ConnectionId, to: ConnectionId): Promise<void> {
    const predecessor = this.parts.openConnection(to);
    if (predecessor === undefined) return this.release(owners, from);
    try {
      // In one step, as it was taken over, so that nobody else gets it in between.
      const back = await this.#inTime(this.parts.store.acquire(owners, to, from));
      if (back.outcome === 'full') predecessor.close('lease_lost');
      else if (this.parts.openConnection(to) === undefined) await this.release(owners, to);
    } catch (error) {
      this.parts.environment.onError(error, 'handing a lease back');
      predecessor.close('lease_lost');
    }
  }

  #ownersOf(principal: Principal): LeaseOwner[] {
    const tenant = tenantOf(principal);
    const own = { owner: ownerOf(principal), limit: this.limits.maxConnectionsPerOwner };
    return tenant === undefined
      ? [own]
      : [own, { owner: tenant, limit: this.limits.maxConnectionsPerTenant }];
  }

  #inTime<T>(asked: Promise<T>): Promise<T> {
    return withDeadline(this.parts.environment.clock, CALL_MS, 'the lease store', asked);
  }
}

/** A lease from its acquisition until a connection holds it. It ends once: handed over, or released. */
export class Lease {
  #state: 'held' | 'handed_over' | 'released' = 'held';

  constructor(
    private readonly leases: Pick<Leases, 'release' | 'handBack'>,
    private readonly owners: readonly LeaseOwner[],
    readonly connectionId: ConnectionId,
    /** The open connection that it was taken over from. */
    private readonly takenOver: ConnectionId | undefined,
  ) {}

  /** The connection holds it from now on, and releases it when it ends. */
  handOver(): void {
    if (this.#state !== 'held') throw new Error(`a lease that was ${this.#state} cannot be handed over`);
    this.#state = 'handed_over';
  }

  /** Releases a lease that no connection holds. The connection that it was taken over from gets it back. */
  async release(): Promise<void> {
    if (this.#state !== 'held') return;
    this.#state = 'released';
    const { owners, connectionId, takenOver } = this;
    await (takenOver === undefined
      ? this.leases.release(owners, connectionId)
      : this.leases.handBack(owners, connectionId, takenOver));
  }
}
