import type { Acquired, ConnectionId, HeldLease, LeaseOwner } from '../lease.js';
import type { RedisConnection } from './connection.js';
import {
  readHeld,
  readTaken,
  type Incarnation,
  type LeaseKeys,
  type LeaseOf,
  type Takeover,
} from './lease-keys.js';
import { ACQUIRE, HEARTBEAT, REACQUIRE, RELEASE, SWEEP } from './lease-scripts.js';
import { listOf, textsOf, unexpected } from './reply.js';

/** Connections or leases in one call: each call holds Redis up for a few milliseconds at most. */
export const BATCH = 500;

/** What a heartbeat answers. */
interface Beat {
  readonly dead: readonly Incarnation[];
  /** What other replicas have taken over, a batch at most. */
  readonly taken: readonly Takeover[];
}

/** A lease to acquire again. */
export interface Again extends HeldLease {
  /** The connection that has taken it over. */
  readonly successor?: ConnectionId | undefined;
}
type AgainOutcome = 'kept' | 'lost' | 'replaced';

/**
 * What incarnations ask of Redis. `lapsed`: the asking one is dead, and nothing was done.
 * All throw as `RedisConnection` does.
 */
export class LeaseCommands {
  constructor(
    private readonly connection: RedisConnection,
    private readonly keys: LeaseKeys,
    /** How long after its last heartbeat an incarnation is dead, milliseconds. */
    private readonly deadAfterMs: number,
  ) {}

  /** `begin`: the incarnation is new. */
  async heartbeat(incarnation: Incarnation, how: 'begin' | 'beat'): Promise<Beat | 'lapsed'> {
    const { keys } = this;
    const args = this.#args(incarnation, how, String(BATCH));
    const reply = await this.connection.run(HEARTBEAT, [keys.replicas, keys.taken(incarnation)], args);
    if (reply === null) return 'lapsed';
    const [dead, taken] = listOf(reply);
    return { dead: textsOf(dead), taken: textsOf(taken).map(readTaken) };
  }

  async acquire(
    incarnation: Incarnation,
    owners: readonly LeaseOwner[],
    connection: ConnectionId,
    replaces: ConnectionId | undefined,
  ): Promise<Acquired | 'lapsed'> {
    const { keys } = this;
    const leases = owners.map(({ owner }) => keys.lease(owner));
    // The keys of a script are declared, and these two have the name of the incarnation that holds the lease now.
    const other = replaces === undefined ? undefined : await this.#holderOf(leases[0] ?? '', replaces);
    const reply = await this.connection.run(
      ACQUIRE,
      [
        keys.replicas,
        keys.held(incarnation),
        keys.held(other ?? incarnation),
        keys.taken(other ?? incarnation),
        ...leases,
      ],
      this.#args(
        incarnation,
        connection,
        replaces ?? '',
        other ?? '',
        ...owners.flatMap(({ owner, limit }) => [owner, String(limit)]),
      ),
    );
    const [outcome, owner = ''] = textsOf(reply);
    switch (outcome) {
      case 'acquired':
      case 'taken_over':
        return { outcome };
      case 'full':
        return { outcome, owner };
      case 'lapsed':
        return 'lapsed';
      default:
        throw unexpected(reply);
    }
  }

  /** At most a batch of leases that may have been lost. Returns what became of each. */
  async reacquire(
    incarnation: Incarnation,
    leases: readonly Again[],
  ): Promise<readonly AgainOutcome[] | 'lapsed'> {
    const { keys } = this;
    const own = [keys.replicas, keys.held(incarnation)] as const;
    const owners = [...new Set(leases.flatMap((one) => one.owners.map(({ owner }) => owner)))];
    const numberOf = new Map(owners.map((owner, index) => [owner, own.length + index + 1]));
    const asked = leases.map(({ connection, successor, owners: of }) => ({
      connection,
      successor,
      leases: of.map(({ owner, limit }) => [numberOf.get(owner), owner, limit]),
    }));
    const reply = await this.connection.run(
      REACQUIRE,
      [...own, ...owners.map((owner) => keys.lease(owner))],
      this.#args(incarnation, JSON.stringify(asked)),
    );
    if (reply === null) return 'lapsed';
    return textsOf(reply).map((outcome) => {
      if (outcome === 'kept' || outcome === 'lost' || outcome === 'replaced') return outcome;
      throw unexpected(outcome);
    });
  }

  /** At most a batch of leases, whichever incarnation of this replica acquired them. */
  async release(incarnation: Incarnation, leases: readonly LeaseOf[]): Promise<void> {
    const { keys } = this;
    await this.connection.run(
      RELEASE,
      [keys.held(incarnation), ...leases.map(({ owner }) => keys.lease(owner))],
      leases.flatMap(({ connection, owner }) => [connection, owner]),
    );
  }

  /** The incarnation has heard of these. */
  async forget(incarnation: Incarnation, taken: readonly Takeover[]): Promise<void> {
    const key = this.keys.taken(incarnation);
    const members = taken.map(({ connection, successor }) => `${connection} ${successor}`);
    await this.connection.send(key, ['SREM', key, ...members]);
  }

  /**
   * Removes a batch of what a dead incarnation left, and the incarnation with the last of it. `end`: it is this
   * replica's own, and dead from now on. Returns whether that was all.
   */
  async sweep(incarnation: Incarnation, how: 'dead' | 'end'): Promise<boolean> {
    const { keys } = this;
    const held = keys.held(incarnation);
    const leases = textsOf(await this.connection.send(held, ['SRANDMEMBER', held, String(BATCH)])).map(
      readHeld,
    );
    const left = await this.connection.run(
      SWEEP,
      [keys.replicas, held, keys.taken(incarnation), ...leases.map(({ owner }) => keys.lease(owner))],
      this.#args(incarnation, how, ...leases.flatMap(({ connection, owner }) => [connection, owner])),
    );
    return left === 0;
  }

  #args(incarnation: Incarnation, ...more: readonly string[]): string[] {
    return [incarnation, String(this.deadAfterMs), ...more];
  }

  async #holderOf(lease: string, connection: ConnectionId): Promise<Incarnation | undefined> {
    const reply = await this.connection.send(lease, ['HGET', lease, connection]);
    return typeof reply === 'string' ? reply : undefined;
  }
}
