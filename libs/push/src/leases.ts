import type { AdmissionParts, Ticket } from './admission.js';
import { CALL_MS, withDeadline } from './deadline.js';
import type { ConnectionId, LeaseOwner } from './lease.js';
import type { ResolvedPushOptions } from './options.js';
import { ownerOf, tenantOf, type Principal } from './principal.js';

/** The places of tickets and connections: each is given back once, whatever becomes of it and however slow the store is. */
export class Leases {
  /** Tickets whose place has an end already: a connection took it over, or it was given back. */
  readonly #settled = new WeakSet<Ticket>();

  constructor(
    private readonly options: Pick<
      ResolvedPushOptions,
      'leases' | 'maxConnectionsPerOwner' | 'maxConnectionsPerTenant'
    >,
    private readonly parts: Pick<AdmissionParts, 'hub' | 'budgets' | 'clock' | 'onError'>,
  ) {}

  /**
   * Takes a place for a ticket, or says whose limit is reached.
   * @throws what the store throws, and DeadlineError: what it gives too late goes back
   */
  async acquire(ticket: Ticket): Promise<LeaseOwner | undefined> {
    const { connectionId, request, principal } = ticket;
    const owners = this.#ownersOf(principal);
    const acquiring = this.options.leases.acquire(owners, connectionId, request.replaces).then((acquired) => {
      if (acquired.outcome === 'taken_over' && request.replaces !== undefined) {
        ticket.takenOver = request.replaces;
      }
      return acquired;
    });
    try {
      const acquired = await this.#inTime(acquiring);
      if (acquired.outcome !== 'full') return undefined;
      const limit = owners.find(({ owner }) => owner === acquired.owner)?.limit ?? 0;
      return { owner: acquired.owner, limit };
    } catch (error) {
      // It may still be given, and nobody waits for it any more.
      void acquiring.then(
        ({ outcome }) => (outcome === 'full' ? undefined : this.giveBack(ticket)),
        () => undefined,
      );
      throw error;
    }
  }

  /** A connection has taken the ticket's place over. */
  settle(ticket: Ticket): void {
    this.#settled.add(ticket);
  }

  /** Ends a ticket that no connection took over. A stream that it was to replace gets its place back. */
  async giveBack(ticket: Ticket): Promise<void> {
    if (this.#settled.has(ticket)) return;
    this.#settled.add(ticket);
    const { principal, connectionId, takenOver } = ticket;
    const old = takenOver === undefined ? undefined : this.parts.hub.get(takenOver);
    if (old === undefined) return this.release(principal, connectionId);
    try {
      // Handed back as it was taken over: in one step, so that nobody else gets the place in between.
      const back = await this.#inTime(
        this.options.leases.acquire(this.#ownersOf(principal), old.id, connectionId),
      );
      if (back.outcome === 'full') old.close('lease_lost');
      else if (this.parts.hub.get(old.id) === undefined) await this.release(principal, old.id);
    } catch (error) {
      this.parts.onError(error, 'handing a lease back');
      old.close('lease_lost');
    }
  }

  async release(principal: Principal, connectionId: ConnectionId): Promise<void> {
    const owners = this.#ownersOf(principal);
    try {
      await this.#inTime(this.options.leases.release(owners, connectionId));
      for (const { owner } of owners) this.parts.budgets.forget(owner);
    } catch (error) {
      this.parts.onError(error, 'giving a lease back');
    }
  }

  #ownersOf(principal: Principal): LeaseOwner[] {
    const tenant = tenantOf(principal);
    const own = { owner: ownerOf(principal), limit: this.options.maxConnectionsPerOwner };
    return tenant === undefined
      ? [own]
      : [own, { owner: tenant, limit: this.options.maxConnectionsPerTenant }];
  }

  #inTime<T>(asked: Promise<T>): Promise<T> {
    return withDeadline(this.parts.clock, CALL_MS, 'the lease store', asked);
  }
}
