import { randomUUID } from 'node:crypto';
import type { Budgets } from './budgets.js';
import { tenthsOf, type Tenths } from './clock.js';
import type { ConnectRequest } from './connect-request.js';
import { CALL_MS, withDeadline } from './deadline.js';
import type { Delivery } from './delivery.js';
import type { Environment } from './environment.js';
import type { Hub } from './hub.js';
import type { Lease, LeaseOwner, Leases } from './lease.js';
import type { Position } from './log.js';
import type { ResolvedPushOptions } from './options.js';
import { isAllowedOrigin, isOwnOrigin } from './origin.js';
import { ownerOf, type OwnerId, type Principal } from './principal.js';
import { RetryLater, refused, type Refused } from './refusal.js';

/** A principal as the authenticator gave it. */
export interface Identified {
  readonly outcome: 'identified';
  readonly principal: Principal;
  /** Where the log was before the authenticator was asked. */
  readonly position: Position;
  /** When the authenticator was asked. */
  readonly confirmedAt: Tenths;
}

/** A request that may open its stream. */
export interface Admitted {
  readonly outcome: 'admitted';
  readonly request: ConnectRequest;
  readonly identified: Identified;
  readonly owner: OwnerId;
  /** Released when the client disconnects, unless a connection holds it by then. */
  readonly lease: Lease;
}

/** The client has disconnected meanwhile: there is nobody to answer. */
export interface Disconnected {
  readonly outcome: 'disconnected';
}
export const disconnected: Disconnected = { outcome: 'disconnected' };

/** What admission works with. */
export interface AdmissionParts {
  readonly hub: Hub;
  readonly delivery: Delivery;
  readonly leases: Leases;
  readonly budgets: Budgets;
  readonly environment: Environment;
}

/**
 * Decides which requests may open a stream: by origin, drain, budgets, credential and limits. The SSE guard and the
 * WebSocket upgrade both call it.
 */
export class Admission {
  readonly #retryLater: RetryLater;
  #isDraining = false;

  constructor(
    private readonly options: ResolvedPushOptions,
    private readonly parts: AdmissionParts,
  ) {
    this.#retryLater = new RetryLater(parts.environment);
  }

  /** From now on, every new stream is refused as unavailable. */
  drain(): void {
    this.#isDraining = true;
  }

  refuseWhileDraining(): Refused | undefined {
    return this.#isDraining ? this.#retryLater.unavailable('This replica is shutting down.') : undefined;
  }

  /**
   * Authenticates a request and acquires its lease. `signal` aborts when the client disconnects, before or after: then
   * the lease is released.
   */
  async admit(request: ConnectRequest, signal: AbortSignal): Promise<Admitted | Refused | Disconnected> {
    let outcome;
    try {
      outcome =
        this.#refuseAtOnce(request) ??
        (await this.#refuseFromMemory(request)) ??
        (await this.parts.budgets.queued(() => this.#identifyAndAcquire(request, signal))) ??
        this.#retryLater.unavailable('Too many streams are being opened just now.');
    } catch (error) {
      this.parts.environment.onError(error, 'admitting a stream');
      outcome = this.#remember(request, this.unidentified());
    }
    if (outcome.outcome === 'refused') this.countRefusal(request, outcome);
    return outcome;
  }

  /**
   * Asks the authenticator whose the credential is.
   * @throws what the authenticator throws, and DeadlineError
   */
  async identify({ credential }: ConnectRequest): Promise<Identified | Refused> {
    if (credential === undefined) {
      const detail = 'Send a token: "Authorization: Bearer TOKEN", or ?access_token=TOKEN.';
      return refused({ reason: 'unauthorized', detail });
    }
    const { clock } = this.parts.environment;
    const position = this.parts.delivery.window.head;
    const confirmedAt = tenthsOf(clock);
    const asked = this.options.authenticator.authenticate(credential);
    const read = await withDeadline(clock, CALL_MS, 'the authenticator', asked);
    switch (read.outcome) {
      case 'authenticated':
        this.parts.budgets.good.add(credential);
        return { outcome: 'identified', principal: read.principal, position, confirmedAt };
      case 'unauthorized':
        this.parts.budgets.good.delete(credential);
        return refused({ reason: 'unauthorized', detail: read.detail });
      case 'forbidden':
        return refused({ reason: 'forbidden', detail: read.detail });
    }
  }

  /** The authenticator, or what it needs, did not answer. */
  unidentified(): Refused {
    return this.#retryLater.unavailable('The server cannot check who you are just now.');
  }

  countRefusal({ transport, client }: ConnectRequest, { refusal }: Refused): void {
    this.parts.environment.metrics.refused(transport, client, refusal.reason);
  }

  /** What needs nobody's answer. */
  #refuseAtOnce({ origin, host }: ConnectRequest): Refused | undefined {
    if (!this.options.enabled) {
      return refused({ reason: 'disabled', detail: 'Push is switched off on this server.' });
    }
    const { allowedOrigins } = this.options;
    if (origin !== undefined && !isOwnOrigin(origin, host) && !isAllowedOrigin(origin, allowedOrigins)) {
      const detail = `The origin ${origin} may not open streams here; allow it in CORS_ORIGINS.`;
      return refused({ reason: 'origin', detail });
    }
    return this.refuseWhileDraining();
  }

  /** What was said of this credential, or of its address, and still holds. */
  async #refuseFromMemory({ credential, replaces, address }: ConnectRequest): Promise<Refused | undefined> {
    if (credential === undefined) return undefined;
    const { budgets, hub } = this.parts;
    // A stream that takes over the lease of an open one needs none of its own. If that one is not here, another replica may
    // have it: only the lease store knows. Who makes one up is asked about as often as its owner may open streams.
    const takesOver = replaces !== undefined;
    const isHere = takesOver && hub.get(replaces) !== undefined;
    const refusal = isHere ? undefined : budgets.refusalOf(credential, takesOver);
    if (refusal !== undefined) return this.#retryLater.again(refusal);
    const failedFor = await budgets.failuresOf(address);
    // A good credential has nothing to do with the bad ones from its address.
    if (failedFor === undefined || budgets.good.has(credential)) return undefined;
    return this.#retryLater.limit('Your address has sent too many bad tokens; wait.', failedFor);
  }

  async #identifyAndAcquire(
    request: ConnectRequest,
    signal: AbortSignal,
  ): Promise<Admitted | Refused | Disconnected> {
    if (signal.aborted) return disconnected;
    const { budgets } = this.parts;
    const identified = await this.identify(request);
    if (identified.outcome === 'refused') {
      const isBad = request.credential !== undefined && identified.refusal.reason === 'unauthorized';
      if (isBad) await budgets.countFailure(request.address);
      return identified;
    }
    const owner = ownerOf(identified.principal);
    const tooOftenFor = await budgets.countConnect(owner);
    if (signal.aborted) return disconnected;
    if (tooOftenFor !== undefined) {
      const tooOften = this.#retryLater.limit('You open streams too often; wait.', tooOftenFor);
      return this.#remember(request, tooOften);
    }
    return this.#acquire(request, identified, owner, signal);
  }

  async #acquire(
    request: ConnectRequest,
    identified: Identified,
    owner: OwnerId,
    signal: AbortSignal,
  ): Promise<Admitted | Refused | Disconnected> {
    const { principal } = identified;
    const acquired = await this.parts.leases.acquire(principal, randomUUID(), request.replaces);
    if (acquired.outcome === 'full') return this.#refuseFull(request, owner, acquired.full);
    const { lease } = acquired;
    // From here to the end of the turn nothing can abort: either it has already, or this listener hears it.
    if (signal.aborted) {
      await lease.release();
      return disconnected;
    }
    signal.addEventListener('abort', () => void lease.release(), { once: true });
    return { outcome: 'admitted', request, identified, owner, lease };
  }

  #refuseFull(request: ConnectRequest, owner: OwnerId, full: LeaseOwner): Refused {
    const whose = full.owner === owner ? 'You have' : 'The tokens of your organization have';
    const together = full.owner === owner ? 'open' : 'open together';
    const detail = `${whose} ${full.limit} streams ${together}, the limit; close one.`;
    return this.#remember(request, this.#retryLater.limit(detail), full.owner);
  }

  #remember({ credential }: ConnectRequest, refusal: Refused, owner?: OwnerId): Refused {
    if (credential !== undefined) this.parts.budgets.remember(credential, refusal.refusal, owner);
    return refusal;
  }
}
