import { randomUUID } from 'node:crypto';
import type { RefusalReason } from '@crossfade/protocol';
import { audiencesOf } from './audience-lists.js';
import type { Budgets } from './budgets.js';
import type { CatchUp } from './catch-up.js';
import type { Clock } from './clock.js';
import { tenthsOf, type Tenths } from './confirmation.js';
import { Connection, QUEUE_CHARACTERS, type ConnectionParts } from './connection.js';
import { CALL_MS, withDeadline } from './deadline.js';
import type { Delivery } from './delivery.js';
import type { Hub } from './hub.js';
import type { KeepAlive } from './keep-alive.js';
import type { ConnectionId, LeaseOwner } from './lease.js';
import { Leases } from './leases.js';
import type { Cursor, Position } from './log.js';
import { PushMetrics, type ResyncReason } from './metrics.js';
import type { ResolvedPushOptions } from './options.js';
import { isAllowedOrigin, isOwnOrigin } from './origin.js';
import { ownerOf, type OwnerId, type Principal } from './principal.js';
import { Replays } from './replays.js';
import type { Transport, TransportName } from './transport.js';
import type { Turn } from './turn.js';

/** What a client asks for, read from its request by either transport. */
export interface ConnectRequest {
  readonly transport: TransportName;
  readonly credential: string | undefined;
  readonly origin: string | undefined;
  readonly host: string | undefined;
  /** Whose bad credentials count together. */
  readonly address: string;
  /** The cursor that it brings; undefined: a fresh stream. */
  readonly cursor: Cursor | undefined;
  readonly client: string;
  /** It is told to fetch by `Resync`; else by the end of its stream. */
  readonly knowsResync: boolean;
  readonly types: ReadonlySet<string> | undefined;
  readonly replaces: ConnectionId | undefined;
  /** The client gives up on an error status: it is told to come back by a stream that ends at once. */
  readonly wantsStream: boolean;
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
  position: Position;
  /** When the principal was asked about. */
  confirmedAt: Tenths;
  /** The stream whose place this one was given. */
  takenOver?: ConnectionId;
}

export type Admitted = { readonly ticket: Ticket } | { readonly refusal: Refusal } | { readonly gone: true };
export type Registered =
  { readonly connection: Connection } | { readonly refusal: Refusal } | { readonly gone: true };

/** How often a principal may change under our hands before we ask the client to come back. */
const READINGS = 5;
const RETRY_MS = 5000;

/** What it works with. */
export interface AdmissionParts {
  readonly hub: Hub;
  readonly delivery: Delivery;
  readonly keepAlive: KeepAlive;
  readonly catchUp: CatchUp;
  readonly turn: Turn;
  readonly budgets: Budgets;
  readonly clock: Clock;
  readonly onError: (error: unknown, doing: string) => void;
  readonly metrics?: PushMetrics;
  readonly random?: () => number;
}

/**
 * Who may connect, and the one place where connections begin and end. A plain class: the SSE guard and the WebSocket
 * upgrade both call it. What it acquires is given back when `gone` fires, on every path.
 */
export class Admission {
  readonly #leases: Leases;
  readonly #random: () => number;
  readonly #metrics: PushMetrics;
  readonly #replays: Replays;
  /** What every connection shares. */
  readonly #shared: ConnectionParts;
  #isDraining = false;

  constructor(
    private readonly options: ResolvedPushOptions,
    private readonly parts: AdmissionParts,
  ) {
    this.#random = parts.random ?? Math.random;
    this.#metrics = parts.metrics ?? new PushMetrics();
    this.#leases = new Leases(options, parts);
    const { hub, keepAlive, delivery, catchUp, turn, clock } = parts;
    this.#replays = new Replays((id) => hub.get(id) !== undefined);
    this.#shared = {
      limits: { messages: options.writeQueueCapacity, characters: QUEUE_CHARACTERS },
      history: delivery,
      catchUp,
      turn,
      clock,
      random: this.#random,
      metrics: this.#metrics,
      onLeave: ({ id, principal }) => void this.#leases.release(principal, id),
      onClose: (closed) => {
        hub.remove(closed);
        keepAlive.remove(closed);
      },
    };
  }

  /** Whether new streams are refused because this replica ends. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** From now on, every new stream is refused as unavailable. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Authenticates and takes a place. `gone` aborts when the client leaves, before or after. */
  async admit(request: ConnectRequest, gone: AbortSignal): Promise<Admitted> {
    return this.#counted(request, await this.#mayAdmit(request, gone));
  }

  async #mayAdmit(request: ConnectRequest, gone: AbortSignal): Promise<Admitted> {
    if (!this.options.enabled) return refuse('disabled', 'Push is switched off on this server.');
    if (!this.#mayComeFrom(request)) {
      return refuse(
        'origin',
        `The origin ${request.origin} may not open streams here; allow it in CORS_ORIGINS.`,
      );
    }
    if (this.#isDraining) return this.#unavailable('This replica is shutting down.');
    try {
      return (await this.#refusedBefore(request)) ?? (await this.#admitInTurn(request, gone));
    } catch (error) {
      this.parts.onError(error, 'admitting a stream');
      const refused = this.#unavailable('The server cannot check who you are just now.');
      this.#remember(request, refused.refusal);
      return refused;
    }
  }

  #counted<Outcome extends Admitted | Registered>(
    { transport, client }: ConnectRequest,
    outcome: Outcome,
  ): Outcome {
    if ('refusal' in outcome) this.#metrics.refused(transport, client, outcome.refusal.reason);
    return outcome;
  }

  /** What can be said without asking anyone. */
  async #refusedBefore(request: ConnectRequest): Promise<{ refusal: Refusal } | undefined> {
    const { credential, replaces, address } = request;
    if (credential === undefined) return undefined;
    // Whoever takes over a stream that is here needs no place of its own.
    const takesOver = replaces !== undefined && this.parts.hub.get(replaces) !== undefined;
    const refusal = takesOver ? undefined : this.parts.budgets.refusalOf(credential);
    if (refusal !== undefined) {
      // Each of an owner's tabs its own time, though they are refused for the same reason.
      const { retryAfterMs = 0 } = refusal;
      return { refusal: { ...refusal, retryAfterMs: Math.round(retryAfterMs + this.#random() * RETRY_MS) } };
    }
    const failedFor = await this.parts.budgets.failuresOf(address);
    // One that was good has nothing to do with the bad ones of whoever shares its address.
    return failedFor === undefined || this.parts.budgets.good.has(credential)
      ? undefined
      : refuse('limit', 'Your address has sent too many bad tokens; wait.', this.#jittered(failedFor));
  }

  async #admitInTurn(request: ConnectRequest, gone: AbortSignal): Promise<Admitted> {
    const admitted = await this.parts.budgets.inTurn(() => this.#admit(request, gone));
    return admitted === 'full' ? this.#unavailable('Too many streams are being opened just now.') : admitted;
  }

  async #admit(request: ConnectRequest, gone: AbortSignal): Promise<Admitted> {
    if (gone.aborted) return { gone: true };
    const position = this.parts.delivery.window.head;
    const confirmedAt = tenthsOf(this.parts.clock);
    const read = await this.#authenticate(request);
    if ('refusal' in read) {
      if (request.credential !== undefined && read.refusal.reason === 'unauthorized') {
        await this.parts.budgets.countFailure(request.address);
      }
      return read;
    }
    const { principal } = read;
    const owner = ownerOf(principal);
    const tooOftenFor = await this.parts.budgets.countConnect(owner);
    if (gone.aborted) return { gone: true };
    if (tooOftenFor !== undefined) {
      const refused = refuse('limit', 'You open streams too often; wait.', this.#jittered(tooOftenFor));
      this.#remember(request, refused.refusal);
      return refused;
    }
    return this.#acquire(
      { connectionId: randomUUID(), request, owner, principal, position, confirmedAt },
      gone,
    );
  }

  #remember({ credential }: ConnectRequest, refusal: Refusal, owner?: OwnerId): void {
    if (credential !== undefined) this.parts.budgets.remember(credential, refusal, owner);
  }

  /**
   * Registers the connection in the very moment in which its rights were found to be current, then tells it that it is
   * connected. Whoever calls it sees to it that `gone` aborts when the client leaves.
   */
  async register(ticket: Ticket, transport: Transport, gone: AbortSignal): Promise<Registered> {
    return this.#counted(ticket.request, await this.#register(ticket, transport, gone));
  }

  async #register(ticket: Ticket, transport: Transport, gone: AbortSignal): Promise<Registered> {
    for (let reading = 0; reading < READINGS; reading += 1) {
      if (gone.aborted) return { gone: true };
      if (this.#isDraining)
        return this.#turnAway(ticket, this.#unavailable('This replica is shutting down.'));
      // Nothing may be awaited between this look and the opening, or a revocation could pass in between.
      if (this.parts.delivery.isCurrent(ticket.principal, ticket.position))
        return { connection: this.#open(ticket, transport) };
      const refused = await this.#readAgain(ticket);
      if (refused !== undefined) return this.#turnAway(ticket, refused);
    }
    return this.#turnAway(ticket, this.#unavailable('Your rights are changing too fast to read them.'));
  }

  async #readAgain(ticket: Ticket): Promise<{ refusal: Refusal } | undefined> {
    try {
      ticket.position = this.parts.delivery.window.head;
      ticket.confirmedAt = tenthsOf(this.parts.clock);
      const read = await this.#authenticate(ticket.request);
      if ('refusal' in read) return read;
      ticket.principal = read.principal;
      return undefined;
    } catch (error) {
      this.parts.onError(error, 'reading a principal again');
      return this.#unavailable('The server cannot check who you are just now.');
    }
  }

  async #turnAway(ticket: Ticket, refused: { refusal: Refusal }): Promise<{ refusal: Refusal }> {
    await this.#leases.giveBack(ticket);
    return refused;
  }

  async #authenticate({
    credential,
  }: ConnectRequest): Promise<{ principal: Principal } | { refusal: Refusal }> {
    if (credential === undefined) {
      return refuse('unauthorized', 'Send a token: "Authorization: Bearer TOKEN", or ?access_token=TOKEN.');
    }
    const read = await withDeadline(
      this.parts.clock,
      CALL_MS,
      'the authenticator',
      this.options.authenticator.authenticate(credential),
    );
    if (read.outcome === 'unauthorized') this.parts.budgets.good.delete(credential);
    if (read.outcome === 'authenticated') this.parts.budgets.good.add(credential);
    return read.outcome === 'authenticated'
      ? { principal: read.principal }
      : refuse(read.outcome, read.detail);
  }

  async #acquire(ticket: Ticket, gone: AbortSignal): Promise<Admitted> {
    const full = await this.#leases.acquire(ticket);
    if (full !== undefined) return this.#full(ticket, full);
    // From here to the end of the turn nothing can abort: either it has already, or this listener hears it.
    if (gone.aborted) {
      await this.#leases.giveBack(ticket);
      return { gone: true };
    }
    gone.addEventListener('abort', () => void this.#leases.giveBack(ticket), { once: true });
    return { ticket };
  }

  #full({ request, owner }: Ticket, { owner: whose, limit }: LeaseOwner): { refusal: Refusal } {
    const refused = refuse(
      'limit',
      whose === owner
        ? `You have ${limit} streams open, the limit; close one.`
        : `The tokens of your organization have ${limit} streams open together, the limit; close one.`,
      this.#jittered(RETRY_MS),
    );
    this.#remember(request, refused.refusal, whose);
    return refused;
  }

  #open(ticket: Ticket, transport: Transport): Connection {
    const { connectionId, request, principal, owner } = ticket;
    const { hub, keepAlive } = this.parts;
    const begin = this.#begin(ticket);
    const tally = this.#metrics.streamsOf(request.transport, request.client);
    tally.opened += 1;
    tally.resumes[begin.resumed] += 1;
    const { client, types, knowsResync } = request;
    const connection = new Connection(
      {
        id: connectionId,
        principal,
        transport,
        client,
        types,
        knowsResync,
        position: begin.position,
        reading: begin.resumed === 'fresh' ? 'live' : 'behind',
        tally,
        confirmedAt: ticket.confirmedAt,
      },
      this.#shared,
    );
    this.#leases.settle(ticket);
    hub.add(connection);
    keepAlive.add(connection);
    connection.say({
      type: 'Connected',
      message: {
        connection_id: connectionId,
        keep_alive_seconds: this.options.keepAliveSeconds,
        resumed: begin.resumed,
      },
    });
    if (begin.resumed === 'gap') connection.resync(begin.reason, begin.isKnown);
    const replaced = request.replaces === undefined ? undefined : hub.get(request.replaces);
    if (replaced !== undefined && ownerOf(replaced.principal) === owner) replaced.close('replaced');
    return connection;
  }

  /** Where a stream begins: at the head, where its cursor left off, or after a gap, with what is left. */
  #begin({
    connectionId,
    principal,
    request: { cursor, types },
  }: Ticket):
    | { resumed: 'fresh' | 'resumed'; position: Position }
    | { resumed: 'gap'; position: Position; isKnown: boolean; reason: ResyncReason } {
    const { window, head } = this.parts.delivery;
    if (cursor === undefined) return { resumed: 'fresh', position: head };
    const audiences = audiencesOf(principal);
    const place = this.options.log.locate(cursor);
    if (typeof place !== 'bigint' || place > window.head.place) {
      // Nobody knows what it missed, so it gets all critical messages that are kept.
      const reason = place === 'lost' ? 'log_lost' : 'unknown_cursor';
      return { resumed: 'gap', position: window.criticalFloor(audiences), isKnown: false, reason };
    }
    if (window.covers(place, audiences)) {
      const { tokenId } = principal;
      const after = window.after(place, audiences);
      const unreadable = this.#replays.begin({ connectionId, tokenId, cursor, types }, after);
      if (unreadable === undefined) return { resumed: 'resumed', position: { cursor, place } };
      const isKnown = unreadable.record.delivery !== 'critical';
      return { resumed: 'gap', position: unreadable.position, isKnown, reason: 'too_large' };
    }
    const reason = place < window.start.place ? 'log_lost' : 'gap';
    return { resumed: 'gap', position: { cursor, place }, isKnown: true, reason };
  }

  #mayComeFrom({ origin, host }: ConnectRequest): boolean {
    if (origin === undefined) return true;
    return isOwnOrigin(origin, host) || isAllowedOrigin(origin, this.options.allowedOrigins);
  }

  #unavailable(detail: string): { refusal: Refusal } {
    return refuse('unavailable', detail, this.#jittered(RETRY_MS));
  }

  /** Between a time and its double, so that those who were refused together do not come back together. */
  #jittered(milliseconds: number): number {
    return Math.round(milliseconds * (1 + this.#random()));
  }
}

function refuse(reason: RefusalReason, detail: string, retryAfterMs?: number): { refusal: Refusal } {
  return { refusal: { reason, detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } };
}
