import { randomUUID } from 'node:crypto';
import { withDeadline } from '../deadline.js';
import type {
  Acquired,
  ConnectionId,
  LeaseHolders,
  LeaseOwner,
  LeaseStore,
  LeaseStoreEnvironment,
} from '../lease.js';
import { Loop } from '../loop.js';
import { COMMAND_MS } from './client.js';
import type { RedisConnection } from './connection.js';
import { BATCH, LeaseCommands, type Again } from './lease-commands.js';
import { LeaseKeys, type Incarnation, type LeaseOf, type Takeover } from './lease-keys.js';

export interface RedisLeaseStoreOptions {
  /** Begins every key, in braces. The same on every replica. */
  readonly prefix: string;
  /**
   * Seconds between heartbeats, the same on every replica. After three without one, the leases of a replica count no
   * more. A stream whose lease was taken over on another replica is closed at the next one. Default 5.
   */
  readonly heartbeatSeconds?: number;
}

/** So many heartbeats are missing when an incarnation is dead. */
const MISSING = 3;
/** How often a call is repeated because the incarnation has ended meanwhile. */
const ATTEMPTS = 3;
/** How long all leases may take to be released at the end, milliseconds. What is left, others sweep. */
const CLOSE_MS = 2000;

/**
 * Leases that replicas share, in Redis. They belong to an incarnation of this replica, which one heartbeat keeps alive,
 * however many they are. An incarnation that has lapsed, since Redis or this process was away, is never renewed: the next
 * one acquires all leases again that still fit. The same when Redis was connected again, since another server, or one
 * that was restarted, may lack the last ones. What a dead incarnation left counts no more, and the living ones sweep it.
 */
export class RedisLeaseStore implements LeaseStore {
  readonly #commands: LeaseCommands;
  readonly #intervalMs: number;
  #library: { readonly holders: LeaseHolders; readonly environment: LeaseStoreEnvironment } | undefined;
  #loop: Loop | undefined;
  #isClosed = false;
  /** Undefined: there is none yet, or it has ended. */
  #incarnation: Incarnation | undefined;
  /** The one that began last, whether all leases were acquired for it or not. */
  #last: Incarnation | undefined;
  /** How often Redis had been connected again when the incarnation began. */
  #reconnects = 0;
  /** While leases are acquired again. Every other call waits for it: no release may pass it. */
  #reacquiring: Promise<Incarnation> | undefined;
  /** Releases that failed. Bounded by the connections that this replica had open. */
  readonly #unreleased = new Map<ConnectionId, readonly LeaseOf[]>();

  constructor(
    private readonly connection: RedisConnection,
    { prefix, heartbeatSeconds = 5 }: RedisLeaseStoreOptions,
  ) {
    this.#intervalMs = heartbeatSeconds * 1000;
    this.#commands = new LeaseCommands(connection, new LeaseKeys(prefix), MISSING * this.#intervalMs);
  }

  async start(holders: LeaseHolders, environment: LeaseStoreEnvironment): Promise<void> {
    this.#library = { holders, environment };
    await this.#current();
    const { clock, metrics, onError } = environment;
    const deadlineMs = Math.max(this.#intervalMs, COMMAND_MS);
    this.#loop = new Loop(
      { name: 'leases', intervalMs: this.#intervalMs, deadlineMs, clock, onError },
      (signal) => this.round(signal),
    );
    metrics.watch(this.#loop);
    this.#loop.start();
  }

  acquire(
    owners: readonly LeaseOwner[],
    connection: ConnectionId,
    replaces?: ConnectionId,
  ): Promise<Acquired> {
    return this.#ask((incarnation) => this.#commands.acquire(incarnation, owners, connection, replaces));
  }

  async release(owners: readonly Pick<LeaseOwner, 'owner'>[], connection: ConnectionId): Promise<void> {
    // All leases are released at the end.
    if (this.#isClosed) return;
    const leases = owners.map(({ owner }) => ({ connection, owner }));
    try {
      await this.#commands.release(await this.#current(), leases);
    } catch (error) {
      this.#unreleased.set(connection, leases);
      this.#countUnreleased();
      throw error;
    }
  }

  /** One heartbeat, and what follows from it. @throws as `RedisConnection` */
  async round(signal?: AbortSignal): Promise<void> {
    const { clock } = this.#started.environment;
    // Half of the interval is left for the next heartbeat to come in time.
    const until = clock.elapsed() + this.#intervalMs / 2;
    const { taken, dead } = await this.#ask((incarnation) => this.#commands.heartbeat(incarnation, 'beat'));
    const goesOn = () => signal?.aborted !== true && !this.#isClosed && clock.elapsed() < until;
    await this.#hearOf(taken);
    await this.#releaseAgain(goesOn);
    for (const incarnation of dead) {
      while (goesOn() && !(await this.#commands.sweep(incarnation, 'dead')));
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed || this.#library === undefined) return;
    this.#isClosed = true;
    this.#loop?.stop();
    const { clock, onError } = this.#library.environment;
    try {
      await withDeadline(clock, CLOSE_MS, 'Redis', this.#end());
    } catch (error) {
      onError(error, 'releasing all leases; other replicas do that within three heartbeats');
    }
  }

  get #started() {
    if (this.#library === undefined) throw new Error('the lease store has not been started');
    return this.#library;
  }

  /** Asks as the current incarnation; again as the next one, if that has ended meanwhile. */
  async #ask<T>(ask: (incarnation: Incarnation) => Promise<T | 'lapsed'>): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const incarnation = await this.#current();
      const answer = await ask(incarnation);
      if (answer === 'lapsed') this.#lapse(incarnation);
      // If not, it was acquired for an incarnation that ended before anybody held it.
      else if (incarnation === this.#incarnation) return answer;
    }
    throw new Error('leases lapse faster than they can be acquired');
  }

  /** The incarnation that lives, as far as this process knows. If there is none, the next one begins. */
  async #current(): Promise<Incarnation> {
    if (this.#isClosed) throw new Error('the lease store is closed');
    if (this.#reacquiring !== undefined) return this.#reacquiring;
    const { reconnects } = this.connection;
    if (this.#incarnation !== undefined && this.#reconnects === reconnects) return this.#incarnation;
    return this.#alone(this.#begin());
  }

  #alone(reacquiring: Promise<Incarnation>): Promise<Incarnation> {
    this.#reacquiring = reacquiring.finally(() => (this.#reacquiring = undefined));
    return this.#reacquiring;
  }

  #lapse(incarnation: Incarnation): void {
    if (this.#incarnation !== incarnation) return;
    this.#incarnation = undefined;
    this.#started.environment.metrics.leases.lapses += 1;
  }

  /** Begins an incarnation, with every lease that is held and still fits. */
  async #begin(): Promise<Incarnation> {
    const { holders } = this.#started;
    this.#incarnation = undefined;
    const { reconnects } = this.connection;
    const incarnation = randomUUID();
    await this.#commands.heartbeat(incarnation, 'begin');
    const before = this.#last;
    this.#last = incarnation;
    const held = [...holders.held()];
    for (let first = 0; first < held.length; first += BATCH) {
      await this.#reacquire(incarnation, held.slice(first, first + BATCH));
    }
    // If it still lives, a late command of it could take leases back that the next one has by now.
    if (before !== undefined) await this.#commands.sweep(before, 'end');
    this.#incarnation = incarnation;
    this.#reconnects = reconnects;
    return incarnation;
  }

  async #reacquire(incarnation: Incarnation, leases: readonly Again[]): Promise<void> {
    const { holders, environment } = this.#started;
    const outcomes = await this.#commands.reacquire(incarnation, leases);
    if (outcomes === 'lapsed') {
      this.#lapse(incarnation);
      throw new Error('leases lapsed while they were acquired again');
    }
    for (const [index, { connection }] of leases.entries()) {
      const outcome = outcomes[index] ?? 'lost';
      environment.metrics.leases.reacquired[outcome] += 1;
      if (outcome !== 'kept') holders.lost(connection, outcome === 'lost' ? 'lease_lost' : outcome);
    }
  }

  /** Connections whose lease was taken over are replaced. If the successor is gone, they try to acquire one again. */
  async #hearOf(taken: readonly Takeover[]): Promise<void> {
    const incarnation = this.#incarnation;
    // If all are acquired again just now, the next heartbeat says these once more.
    if (taken.length === 0 || incarnation === undefined || this.#reacquiring !== undefined) return;
    const successors = new Map(taken.map(({ connection, successor }) => [connection, successor]));
    const held = [...this.#started.holders.held()]
      .filter(({ connection }) => successors.has(connection))
      .map((lease) => ({ ...lease, successor: successors.get(lease.connection) }));
    if (held.length > 0) await this.#alone(this.#reacquire(incarnation, held).then(() => incarnation));
    await this.#commands.forget(incarnation, taken);
  }

  async #releaseAgain(goesOn: () => boolean): Promise<void> {
    while (this.#unreleased.size > 0 && goesOn()) {
      const batch = [...this.#unreleased.entries().take(BATCH)];
      await this.#commands.release(
        await this.#current(),
        batch.flatMap(([, leases]) => leases),
      );
      for (const [connection] of batch) this.#unreleased.delete(connection);
      this.#countUnreleased();
    }
  }

  /** Every lease counts no more from the first command on. */
  async #end(): Promise<void> {
    await this.#reacquiring?.catch(() => undefined);
    const incarnation = this.#incarnation;
    if (incarnation === undefined) return;
    this.#incarnation = undefined;
    while (!(await this.#commands.sweep(incarnation, 'end')));
  }

  #countUnreleased(): void {
    this.#started.environment.metrics.leases.unreleased = this.#unreleased.size;
  }
}
