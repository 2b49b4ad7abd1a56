import type { ConnectionId } from '../lease.js';
import type { OwnerId } from '../principal.js';

/** One random id for each life of a replica's leases. */
export type Incarnation = string;

/** A lease as its incarnation remembers it. */
export interface LeaseOf {
  readonly connection: ConnectionId;
  readonly owner: OwnerId;
}

/** A lease that another incarnation has taken over. */
export interface Takeover {
  readonly connection: ConnectionId;
  readonly successor: ConnectionId;
}

/** The keys of all leases. They share a hash tag, so that a Cluster keeps them on one node. */
export class LeaseKeys {
  /** A sorted set: each incarnation, and when its last heartbeat was, by Redis' clock. */
  readonly replicas: string;

  constructor(private readonly prefix: string) {
    this.replicas = `{${prefix}}:replicas`;
  }

  /** A hash: each connection that holds a lease of this owner, and its incarnation. */
  lease(owner: OwnerId): string {
    return `{${this.prefix}}:lease:${owner}`;
  }

  /** A set: every lease of an incarnation, so that others can remove what it leaves behind. */
  held(incarnation: Incarnation): string {
    return `{${this.prefix}}:held:${incarnation}`;
  }

  /** A set: what others have taken over from an incarnation, until it has heard of it. */
  taken(incarnation: Incarnation): string {
    return `{${this.prefix}}:taken:${incarnation}`;
  }
}

/** Reads a member of `held`, as the scripts write it. No connection's id has a space; an owner's may. */
export function readHeld(member: string): LeaseOf {
  const [connection, owner] = split(member);
  return { connection, owner };
}

/** Reads a member of `taken`, as the scripts write it. */
export function readTaken(member: string): Takeover {
  const [connection, successor] = split(member);
  return { connection, successor };
}

function split(member: string): [string, string] {
  const space = member.indexOf(' ');
  return [member.slice(0, space), member.slice(space + 1)];
}
