import { organization, type Audience } from '@crossfade/protocol';
import { audienceKey, audiencesOf, EVERYONE, type AudienceKey } from './audience.js';
import type { Connection } from './connection.js';
import type { ConnectionId } from './lease.js';

/** A map of sets that drops a key with its last value. */
class Index<Key> {
  readonly #sets = new Map<Key, Set<Connection>>();

  add(key: Key, connection: Connection): void {
    const set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, new Set([connection]));
    else set.add(connection);
  }

  delete(key: Key, connection: Connection): void {
    const set = this.#sets.get(key);
    if (set?.delete(connection) && set.size === 0) this.#sets.delete(key);
  }

  get(key: Key): ReadonlySet<Connection> {
    return this.#sets.get(key) ?? nobody;
  }

  get size(): number {
    return this.#sets.size;
  }
}

const nobody: ReadonlySet<Connection> = new Set();

/** The open connections, by id, by token and by audience. */
export class Hub {
  /** Those of the audience `everyone` as well, which has no set of its own. */
  readonly #byId = new Map<ConnectionId, Connection>();
  readonly #byToken = new Index<string>();
  readonly #byAudience = new Index<AudienceKey>();

  get size(): number {
    return this.#byId.size;
  }

  /** How many keys all indexes hold together: zero when no connection is open. */
  get indexed(): number {
    return this.#byId.size + this.#byToken.size + this.#byAudience.size;
  }

  add(connection: Connection): void {
    const { principal } = connection;
    this.#byId.set(connection.id, connection);
    this.#byToken.add(principal.tokenId, connection);
    for (const key of audiencesOf(principal)) if (key !== EVERYONE) this.#byAudience.add(key, connection);
  }

  remove(connection: Connection): void {
    if (!this.#byId.delete(connection.id)) return;
    const { principal } = connection;
    this.#byToken.delete(principal.tokenId, connection);
    for (const key of audiencesOf(principal)) this.#byAudience.delete(key, connection);
  }

  join(connection: Connection, organizationId: string): void {
    if (!this.#byId.has(connection.id)) return;
    connection.organizationIds.add(organizationId);
    this.#byAudience.add(audienceKey(organization(organizationId)), connection);
  }

  leave(connection: Connection, organizationId: string): void {
    if (!connection.organizationIds.delete(organizationId)) return;
    this.#byAudience.delete(audienceKey(organization(organizationId)), connection);
  }

  /** Gives a connection exactly these organizations. Returns whether that changed anything. */
  grant(connection: Connection, organizationIds: ReadonlySet<string>): boolean {
    const removed = connection.organizationIds.difference(organizationIds);
    const added = organizationIds.difference(connection.organizationIds);
    for (const id of removed) this.leave(connection, id);
    for (const id of added) this.join(connection, id);
    return removed.size + added.size > 0;
  }

  get(id: ConnectionId): Connection | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Connection> {
    return this.#byId.values();
  }

  ofToken(id: string): ReadonlySet<Connection> {
    return this.#byToken.get(id);
  }

  /** The connections that are among any of the audiences, each once. */
  of(audiences: readonly Audience[]): Iterable<Connection> {
    const [only, ...more] = audiences;
    if (only === undefined) return nobody;
    if (more.length === 0) return this.#ofOne(only);
    return new Set(audiences.flatMap((one) => [...this.#ofOne(one)]));
  }

  #ofOne(audience: Audience): Iterable<Connection> {
    const key = audienceKey(audience);
    return key === EVERYONE ? this.#byId.values() : this.#byAudience.get(key);
  }
}
