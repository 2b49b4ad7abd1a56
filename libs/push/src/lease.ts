import type { Budgets } from './budgets.js';
import { CALL_MS, withDeadline } from './deadline.js';
import type { Environment } from './environment.js';
import { ownerOf, tenantOf, type OwnerId, type Principal } from './principal.js';

export type ConnectionId = string;

/** How long acquiring may take, milliseconds: while the store does not answer, new streams are refused within a second. */
const ACQUIRE_MS = 800;

/** Under whose limit a lease counts. */
export interface LeaseOwner {
  readonly owner: OwnerId;
  readonly limit: number;
}

export type Acquired =
  | { readonly outcome: 'acquired' | 'taken_over' }
  /** The first of the owners whose leases are all taken. */
  | { readonly outcome: 'full'; readonly owner: OwnerId };

/** A lease of a connection, and under whose limits it counts. */
export interface HeldLease {
  readonly connection: ConnectionId;
  readonly owners: readonly LeaseOwner[];
}

/** `replaced`: a successor on another replica has taken it over. `lease_lost`: there is no room for it any more. */
export type LeaseLoss = 'replaced' | 'lease_lost';

/** Whose leases a store counts. */
export interface LeaseHolders {
  /** Every lease that is held now. */
  held(): Iterable<HeldLease>;
  /** The lease of this connection counts no more, so the connection must end. */
  lost(connection: ConnectionId, loss: LeaseLoss): void;
}

/** What a lease store gets from the library. */
export type LeaseStoreEnvironment = Pick<Environment, 'clock' | 'metrics' | 'onError'>;

/**
 * A port: counts a connection's lease under the limits of its owners, one or two, across all replicas.
 * Acquiring and releasing are atomic. Releasing what is not held does nothing. A release that fails is made good later.
 */
export interface LeaseStore {
  /**
   * Call it once, first. Acquires every lease that is held, as far as the limits allow, and says which are lost. A store
   * that other replicas share does the same again whenever it may have lost leases.
   * @throws what acquiring throws
   */
  start(holders: LeaseHolders, environment: LeaseStoreEnvironment): Promise<void>;
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

/** An open connection. */
interface Holder {
  readonly id: ConnectionId;
  readonly principal: Principal;
  /** Whether it has not released its lease. */
  readonly hasLease: boolean;
  close(reason: LeaseLoss): void;
}

/** What leases work with. */
export interface LeaseParts {
  readonly store: LeaseStore;
  readonly budgets: Pick<Budgets, 'forget'>;
  readonly environment: LeaseStoreEnvironment;
  /** The open connections of this replica. */
  readonly hub: { get(id: ConnectionId): Holder | undefined; all(): Iterable<Holder> };
}

/** Acquires and releases leases, each call with a deadline. */
export class Leases implements LeaseHolders {
  /** Leases whose connection is still being opened. Bounded by the admissions that run at once. */
  readonly #opening = new Map<ConnectionId, Lease>();

  constructor(
    private readonly limits: LeaseLimits,
    private readonly parts: LeaseParts,
  ) {}

  /** @throws what the store throws */
  start(): Promise<void> {
    return this.parts.store.start(this, this.parts.environment);
  }

  *held(): Iterable<HeldLease> {
    for (const { id, principal, hasLease } of this.parts.hub.all()) {
      if (hasLease) yield { connection: id, owners: this.#ownersOf(principal) };
    }
    for (const { connectionId, owners } of this.#opening.values()) yield { connection: connectionId, owners };
  }

  lost(connection: ConnectionId, loss: LeaseLoss): void {
    this.#opening.get(connection)?.lose();
    this.parts.hub.get(connection)?.close(loss);
  }

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
      const acquired = await this.#inTime(acquiring, ACQUIRE_MS);
      if (acquired.outcome !== 'full') {
        const lease = leaseOf(acquired);
        this.#opening.set(connectionId, lease);
        return { outcome: 'acquired', lease };
      }
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

  /** The connection of this lease has opened, or never will. */
  forget({ connectionId }: Lease): void {
    this.#opening.delete(connectionId);
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

  /**
   * Hands a lease back to the connection that it was taken over from, or releases it if that is not open on this replica.
   * If it is open on another one, that replica hears that the lease was taken over, and acquires it again or closes the
   * connection: nobody stays open without a lease by naming a stream in `replaces` and going away.
   */
  async handBack(owners: readonly LeaseOwner[], from: ConnectionId, to: ConnectionId): Promise<void> {
    const predecessor = this.parts.hub.get(to);
    if (predecessor === undefined) return this.release(owners, from);
    try {
      // In one step, as it was taken over, so that nobody else gets it in between.
      const back = await this.#inTime(this.parts.store.acquire(owners, to, from));
      if (back.outcome === 'full') predecessor.close('lease_lost');
      else if (this.parts.hub.get(to) === undefined) await this.release(owners, to);
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

  #inTime<T>(asked: Promise<T>, milliseconds = CALL_MS): Promise<T> {
    return withDeadline(this.parts.environment.clock, milliseconds, 'the lease store', asked);
  }
}

/** A lease from its acquisition until a connection holds it. It ends once: handed over, or released. */
export class Lease {
  #state: 'held' | 'lost' | 'handed_over' | 'released' = 'held';

  constructor(
    private readonly leases: Pick<Leases, 'release' | 'handBack' | 'forget'>,
    readonly owners: readonly LeaseOwner[],
    readonly connectionId: ConnectionId,
    /** The open connection that it was taken over from. */
    private readonly takenOver: ConnectionId | undefined,
  ) {}

  /** Whether it counts no more, so that no connection may open with it. Release it all the same. */
  get isLost(): boolean {
    return this.#state === 'lost';
  }

  lose(): void {
    if (this.#state === 'held') this.#state = 'lost';
  }

  /** The connection holds it from now on, and releases it when it ends. */
  handOver(): void {
    if (this.#state !== 'held') throw new Error(`a lease that was ${this.#state} cannot be handed over`);
    this.#state = 'handed_over';
    this.leases.forget(this);
  }

  /** Releases a lease that no connection holds. The connection that it was taken over from gets it back. */
  async release(): Promise<void> {
    if (this.#state !== 'held' && this.#state !== 'lost') return;
    this.#state = 'released';
    this.leases.forget(this);
    const { owners, connectionId, takenOver } = this;
    await (takenOver === undefined
      ? this.leases.release(owners, connectionId)
      : this.leases.handBack(owners, connectionId, takenOver));
  }
}
