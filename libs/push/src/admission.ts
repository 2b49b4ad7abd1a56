import { randomUUID } from 'node:crypto';
import type { RefusalReason } from '@crossfade/protocol';
import type { Clock } from './clock.js';
import { Connection, type Transport } from './connection.js';
import type { Delivery } from './delivery.js';
import { Frame } from './frame.js';
import type { Hub } from './hub.js';
import type { KeepAlive } from './keep-alive.js';
import type { ConnectionId } from './lease.js';
import type { Cursor, LogRecord } from './log.js';
import type { ResolvedPushOptions } from './options.js';
import { ownerOf, type OwnerId, type Principal } from './principal.js';
import { concerns, isFor, route } from './router.js';

/** What a client asks for, read from its request by either transport. */
export interface ConnectRequest {
  readonly credential: string | undefined;
  readonly origin: string | undefined;
  readonly host: string | undefined;
  /** The cursor that it brings; undefined: a fresh stream. */
  readonly cursor: Cursor | undefined;
  readonly client: string;
  readonly types: ReadonlySet<string> | undefined;
  readonly replaces: ConnectionId | undefined;
}

export interface Refusal {
  readonly reason: RefusalReason;
  /** A sentence for whoever reads it. */
  readonly detail: string;
  readonly retryAfterMs?: number;
}

/** A place under an owner's limit. It goes back when the client goes, or with the connection that takes it over. */
export interface Ticket {
  readonly connectionId: ConnectionId;
  readonly request: ConnectRequest;
  readonly owner: OwnerId;
  principal: Principal;
  /** Where the log was before the principal was read. */
  position: Cursor;
  /** The stream whose place this one was given. */
  takenOver?: ConnectionId;
}

export type Admitted = { readonly ticket: Ticket } | { readonly refusal: Refusal } | { readonly gone: true };
export type Registered =
  { readonly connection: Connection } | { readonly refusal: Refusal } | { readonly gone: true };

/** How often a principal may change under our hands before we ask the client to come back. */
const READINGS = 5;
const RETRY_MS = 5000;

/**
 * Who may connect, and the one place where connections begin and end. A plain class: the SSE guard and the WebSocket
 * upgrade both call it. What it acquires is given back when `gone` fires, on every path.
 */
export class Admission {
  /** Tickets whose place has an end already: a connection took it over, or it was given back. */
  readonly #settled = new WeakSet<Ticket>();
  #draining = false;

  constructor(
    private readonly options: ResolvedPushOptions,
    private readonly hub: Hub,
    private readonly delivery: Delivery,
    private readonly keepAlive: KeepAlive,
    private readonly clock: Clock,
    private readonly onError: (error: unknown, doing: string) => void,
    private readonly random: () => number = Math.random,
  ) {}

  /** From now on, every new stream is refused as unavailable. */
  drain(): void {
    this.#draining = true;
  }

  /** Authenticates and takes a place. `gone` aborts when the client leaves, before or after. */
  async admit(request: ConnectRequest, gone: AbortSignal): Promise<Admitted> {
    if (!this.options.enabled) return refuse('disabled', 'Push is switched off on this server.');
    if (!this.#mayComeFrom(request)) {
      return refuse(
        'origin',
        `The origin ${request.origin} may not open streams here; allow it in CORS_ORIGINS.`,
      );
    }
    if (this.#draining) return this.#unavailable('This replica is shutting down.');
    try {
      const position = this.delivery.window.head;
      const read = await this.#authenticate(request);
      if ('refusal' in read) return read;
      const { principal } = read;
      if (gone.aborted) return { gone: true };
      const ticket = { connectionId: randomUUID(), request, owner: ownerOf(principal), principal, position };
      return await this.#acquire(ticket, gone);
    } catch (error) {
      this.onError(error, 'admitting a stream');
      return this.#unavailable('The server cannot check who you are just now.');
    }
  }

  /**
   * Registers the connection in the very moment in which its rights were found to be current, then tells it that it is
   * connected. Whoever calls it sees to it that `gone` aborts when the client leaves.
   */
  async register(ticket: Ticket, transport: Transport, gone: AbortSignal): Promise<Registered> {
    for (let reading = 0; reading < READINGS; reading += 1) {
      if (gone.aborted) return { gone: true };
      if (this.#draining) return this.#turnAway(ticket, this.#unavailable('This replica is shutting down.'));
      // Nothing may be awaited between this look and the opening, or a revocation could pass in between.
      if (this.#isCurrent(ticket)) return { connection: this.#open(ticket, transport) };
      const refused = await this.#readAgain(ticket);
      if (refused !== undefined) return this.#turnAway(ticket, refused);
    }
    return this.#turnAway(ticket, this.#unavailable('Your rights are changing too fast to read them.'));
  }

  async #readAgain(ticket: Ticket): Promise<{ refusal: Refusal } | undefined> {
    try {
      ticket.position = this.delivery.window.head;
      const read = await this.#authenticate(ticket.request);
      if ('refusal' in read) return read;
      ticket.principal = read.principal;
      return undefined;
    } catch (error) {
      this.onError(error, 'reading a principal again');
      return this.#unavailable('The server cannot check who you are just now.');
    }
  }

  async #turnAway(ticket: Ticket, refused: { refusal: Refusal }): Promise<{ refusal: Refusal }> {
    await this.#giveBack(ticket);
    return refused;
  }

  async #authenticate({
    credential,
  }: ConnectRequest): Promise<{ principal: Principal } | { refusal: Refusal }> {
    if (credential === undefined) {
      return refuse('unauthorized', 'Send a token: "Authorization: Bearer TOKEN", or ?access_token=TOKEN.');
    }
    const read = await this.options.authenticator.authenticate(credential);
    return read.outcome === 'authenticated'
      ? { principal: read.principal }
      : refuse(read.outcome, read.detail);
  }

  async #acquire(ticket: Ticket, gone: AbortSignal): Promise<Admitted> {
    const { owner, connectionId, request } = ticket;
    const { leases, maxConnectionsPerOwner: limit } = this.options;
    const acquired = await leases.acquire(owner, connectionId, limit, request.replaces);
    if (acquired === 'full') {
      return refuse('limit', `You have ${limit} streams open, the limit; close one.`, this.#retryAfterMs());
    }
    if (acquired === 'taken_over' && request.replaces !== undefined) ticket.takenOver = request.replaces;
    // From here to the end of the turn nothing can abort: either it has already, or this listener hears it.
    if (gone.aborted) {
      await this.#giveBack(ticket);
      return { gone: true };
    }
    gone.addEventListener('abort', () => void this.#giveBack(ticket), { once: true });
    return { ticket };
  }

  /** Ends a ticket that no connection took over. A stream that it was to replace gets its place back. */
  async #giveBack(ticket: Ticket): Promise<void> {
    if (this.#settled.has(ticket)) return;
    this.#settled.add(ticket);
    const { owner, connectionId, takenOver } = ticket;
    const old = takenOver === undefined ? undefined : this.hub.get(takenOver);
    if (old === undefined) return this.#release(owner, connectionId);
    try {
      // Handed back as it was taken over: in one step, so that nobody else gets the place in between.
      const back = await this.options.leases.acquire(
        owner,
        old.id,
        this.options.maxConnectionsPerOwner,
        connectionId,
      );
      if (back === 'full') old.close('lease_lost');
      else if (this.hub.get(old.id) === undefined) await this.#release(owner, old.id);
    } catch (error) {
      this.onError(error, 'handing a lease back');
      old.close('lease_lost');
    }
  }

  async #release(owner: OwnerId, connectionId: ConnectionId): Promise<void> {
    try {
      await this.options.leases.release(owner, connectionId);
    } catch (error) {
      this.onError(error, 'giving a lease back');
    }
  }

  /** Whether nothing that concerns the principal has happened since it was read. */
  #isCurrent({ position, principal }: Ticket): boolean {
    const since = this.delivery.window.since(position);
    return since !== undefined && !since.some((record) => concerns(route(record), principal));
  }

  #open(ticket: Ticket, transport: Transport): Connection {
    const { connectionId, request, principal, owner } = ticket;
    const missed = this.#missed(ticket);
    const connection = new Connection({
      id: connectionId,
      principal,
      transport,
      client: request.client,
      types: request.types,
      position: missed === undefined ? this.delivery.head : (request.cursor ?? this.delivery.head),
      capacity: this.options.writeQueueCapacity,
      clock: this.clock,
      onClose: (closed) => {
        this.hub.remove(closed);
        this.keepAlive.remove(closed);
        void this.#release(owner, closed.id);
      },
    });
    this.#settled.add(ticket);
    this.hub.add(connection);
    this.keepAlive.add(connection);
    connection.say('Connected', {
      connection_id: connectionId,
      keep_alive_seconds: this.options.keepAliveSeconds,
      resumed: request.cursor === undefined ? 'fresh' : missed === undefined ? 'gap' : 'resumed',
    });
    for (const record of missed ?? []) connection.offer(Frame.of(record));
    if (request.cursor !== undefined && missed === undefined) {
      connection.say('Resync', {
        reason: 'gap',
        delay_ms: Math.round(this.random() * 2000),
        criticals: 'truncated',
      });
    }
    const replaced = request.replaces === undefined ? undefined : this.hub.get(request.replaces);
    if (replaced !== undefined && ownerOf(replaced.principal) === owner) replaced.close('replaced');
    return connection;
  }

  /**
   * What a client that brings a cursor has missed; undefined if it brings none, or if it has missed more than a write
   * queue holds beside the word that it is connected.
   */
  #missed({ request: { cursor, types }, principal }: Ticket): readonly LogRecord[] | undefined {
    if (cursor === undefined) return undefined;
    const own = this.delivery
      .handedOverSince(cursor)
      ?.filter(({ audience, type }) => isFor(audience, principal) && (types?.has(type) ?? true));
    return own !== undefined && own.length < this.options.writeQueueCapacity ? own : undefined;
  }

  #mayComeFrom({ origin, host }: ConnectRequest): boolean {
    if (origin === undefined || this.options.allowedOrigins.includes(origin)) return true;
    return URL.canParse(origin) && new URL(origin).host === host;
  }

  #unavailable(detail: string): { refusal: Refusal } {
    return refuse('unavailable', detail, this.#retryAfterMs());
  }

  #retryAfterMs(): number {
    return Math.round(RETRY_MS * (1 + this.random()));
  }
}

function refuse(reason: RefusalReason, detail: string, retryAfterMs?: number): { refusal: Refusal } {
  return { refusal: { reason, detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } };
}
