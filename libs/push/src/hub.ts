import type { Audience } from '@crossfade/protocol';
import type { Connection } from './connection.js';
import type { ConnectionId } from './lease.js';

/** A map of sets that forgets a key with its last value. */
class Index {
  readonly #sets = new Map<string, Set<Connection>>();

  add(key: string, connection: Connection): void {
    const set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, new Set([connection]));
    else set.add(connection);
  }

  delete(key: string, connection: Connection): void {
    const set = this.#sets.get(key);
    if (set?.delete(connection) && set.size === 0) this.#sets.delete(key);
  }

  get(key: string): ReadonlySet<Connection> {
    return this.#sets.get(key) ?? nobody;
  }

  get size(): number {
    return this.#sets.size;
  }
}

const nobody: ReadonlySet<Connection> = new Set();

/** Who is here: connections by id, user, token and organization. */
export class Hub {
  readonly #byId = new Map<ConnectionId, Connection>();
  readonly #byUser = new Index();
  readonly #byToken = new Index();
  readonly #byOrganization = new Index();

  get size(): number {
    return this.#byId.size;
  }

  /** How many keys all indexes hold together: zero when nobody is here. */
  get indexed(): number {
    return this.#byId.size + this.#byUser.size + this.#byToken.size + this.#byOrganization.size;
  }

  add(connection: Connection): void {
    const { userId, tokenId } = connection.principal;
    this.#byId.set(connection.id, connection);
    this.#byToken.add(tokenId, connection);
    if (userId !== undefined) this.#byUser.add(userId, connection);
    for (const id of connection.organizationIds) this.#byOrganization.add(id, connection);
  }

  remove(connection: Connection): void {
    if (!this.#byId.delete(connection.id)) return;
    const { userId, tokenId } = connection.principal;
    this.#byToken.delete(tokenId, connection);
    if (userId !== undefined) this.#byUser.delete(userId, connection);
    for (const id of connection.organizationIds) this.#byOrganization.delete(id, connection);
  }

  join(connection: Connection, organizationId: string): void {
    if (!this.#byId.has(connection.id)) return;
    connection.organizationIds.add(organizationId);
    this.#byOrganization.add(organizationId, connection);
  }

  leave(connection: Connection, organizationId: string): void {
    if (!connection.organizationIds.delete(organizationId)) return;
    this.#byOrganization.delete(organizationId, connection);
  }

  /** Gives a connection exactly these organizations; whether that changed anything. */
  grant(connection: Connection, organizationIds: ReadonlySet<string>): boolean {
    const gone = connection.organizationIds.difference(organizationIds);
    const added = organizationIds.difference(connection.organizationIds);
    for (const id of gone) this.leave(connection, id);
    for (const id of added) this.join(connection, id);
    return gone.size + added.size > 0;
  }

  get(id: ConnectionId): Connection | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Connection> {
    return this.#byId.values();
  }

  ofUser(id: string): ReadonlySet<Connection> {
    return this.#byUser.get(id);
  }

  ofToken(id: string): ReadonlySet<Connection> {
    return this.#byToken.get(id);
  }

  /** The connections that belong to any of the audiences, each once. */
  of(audience: readonly Audience[]): Iterable<Connection> {
    const [only, ...more] = audience;
    if (only === undefined) return nobody;
    if (more.length === 0) return this.#ofOne(only);
    return new Set(audience.flatMap((one) => [...this.#ofOne(one)]));
  }

  #ofOne(audience: Audience): Iterable<Connection> {
    switch (audience.kind) {
      case 'user':
        return this.#byUser.get(audience.id);
      case 'organization':
        return this.#byOrganization.get(audience.id);
      case 'everyone':
        return this.#byId.values();
    }
  }
}
