import {
  disconnected,
  type Admission,
  type Admitted,
  type Disconnected,
  type Identified,
} from './admission.js';
import { audiencesOf } from './audience.js';
import { QUEUE_CHARACTERS } from './backpressure.js';
import type { ConnectRequest } from './connect-request.js';
import { Connection, type ConnectionParts } from './connection.js';
import { withDeadline } from './deadline.js';
import type { Delivery } from './delivery.js';
import { isCurrent } from './effects.js';
import type { Environment } from './environment.js';
import type { Hub } from './hub.js';
import type { KeepAlive } from './keep-alive.js';
import type { Leases } from './lease.js';
import type { Cursor, MessageLog } from './log.js';
import type { ResolvedPushOptions } from './options.js';
import { PoisonMessages } from './poison-messages.js';
import { ownerOf, type Principal } from './principal.js';
import { RetryLater, type Refused } from './refusal.js';
import { resume, type Start } from './resume.js';
import { FlushScheduler, type CatchUpScheduler } from './schedulers.js';
import type { Transport } from './transport.js';

/** How long a stream waits until this replica has read what its client has, milliseconds. */
const READ_ON_MS = 2000;

/** How often a principal may change under our hands before its client must come back. */
const READINGS = 5;

export interface Opened {
  readonly outcome: 'opened';
  readonly connection: Connection;
}

/** What streams work with. */
export interface StreamsParts {
  readonly log: MessageLog;
  readonly hub: Hub;
  readonly delivery: Delivery;
  readonly admission: Admission;
  readonly leases: Leases;
  readonly keepAlive: KeepAlive;
  readonly catchUp: CatchUpScheduler;
  readonly environment: Environment;
}

/** Opens and ends every connection. */
export class Streams {
  readonly #retryLater: RetryLater;
  readonly #poison: PoisonMessages;
  /** What every connection shares. */
  readonly #shared: ConnectionParts;

  constructor(
    private readonly options: ResolvedPushOptions,
    private readonly parts: StreamsParts,
  ) {
    const { hub, keepAlive, delivery, catchUp, leases, environment } = parts;
    this.#retryLater = new RetryLater(environment);
    this.#poison = new PoisonMessages((id) => hub.get(id) !== undefined);
    this.#shared = {
      limits: { messages: options.writeQueueCapacity, characters: QUEUE_CHARACTERS },
      history: delivery,
      flushes: new FlushScheduler(),
      catchUp,
      environment,
      releaseLease: (connection) => void leases.releaseOf(connection),
      onClose: (connection) => {
        hub.remove(connection);
        keepAlive.remove(connection);
      },
    };
  }

  /**
   * Opens an admitted stream in the very turn in which its rights are found to be current. If they are not, it asks the
   * authenticator again. `signal` aborts when the client disconnects.
   */
  async open(
    admitted: Admitted,
    transport: Transport,
    signal: AbortSignal,
  ): Promise<Opened | Refused | Disconnected> {
    const { request, lease } = admitted;
    const outcome = await this.#openWhenCurrent(admitted, transport, signal);
    if (outcome.outcome === 'refused') {
      await lease.release();
      this.parts.admission.countRefusal(request, outcome);
    }
    return outcome;
  }

  async #openWhenCurrent(
    admitted: Admitted,
    transport: Transport,
    signal: AbortSignal,
  ): Promise<Opened | Refused | Disconnected> {
    let { identified } = admitted;
    await this.#readUpTo(admitted.request.cursor);
    for (let reading = 0; reading < READINGS; reading += 1) {
      if (signal.aborted) return disconnected;
      const draining = this.parts.admission.refuseWhileDraining();
      if (draining !== undefined) return draining;
      if (admitted.lease.isLost)
        return this.#retryLater.unavailable('Too many other streams were opened meanwhile.');
      // Nothing may be awaited between this look and the opening, or a revocation could pass in between.
      const { principal, position } = identified;
      if (isCurrent(principal, position, this.parts.delivery.window)) {
        return { outcome: 'opened', connection: this.#open(admitted, identified, transport) };
      }
      const again = await this.#identifyAgain(admitted.request);
      if (again.outcome === 'refused') return again;
      identified = again;
    }
    return this.#retryLater.unavailable('Your rights are changing too fast to read them.');
  }

  /** A client that comes from another replica may bring a cursor that this one has not read yet. */
  async #readUpTo(cursor: Cursor | undefined): Promise<void> {
    const { log, delivery, environment } = this.parts;
    const offset = cursor === undefined ? undefined : log.locate(cursor);
    if (typeof offset !== 'bigint' || offset <= delivery.head.offset) return;
    try {
      const newest = await withDeadline(environment.clock, READ_ON_MS, 'the log', log.newest());
      if (offset <= newest) await delivery.reach(offset, READ_ON_MS);
    } catch (error) {
      environment.onError(error, 'reading up to a cursor');
    }
  }

  async #identifyAgain(request: ConnectRequest): Promise<Identified | Refused> {
    try {
      return await this.parts.admission.identify(request);
    } catch (error) {
      this.parts.environment.onError(error, 'reading a principal again');
      return this.parts.admission.unidentified();
    }
  }

  #open(
    { request, owner, lease }: Admitted,
    { principal, confirmedAt }: Identified,
    transport: Transport,
  ): Connection {
    const { hub, keepAlive, environment } = this.parts;
    const { client, types, knowsResync, replaces } = request;
    const id = lease.connectionId;
    const start = this.#start(id, principal, request);
    const tally = environment.metrics.streamsOf(request.transport, client);
    tally.opened += 1;
    tally.resumes[start.resumed] += 1;
    const { position } = start;
    const begins = start.resumed === 'fresh' ? 'live' : 'behind';
    const connection = new Connection(
      { id, principal, transport, client, types, knowsResync, position, begins, tally, confirmedAt },
      this.#shared,
    );
    lease.handOver();
    hub.add(connection);
    keepAlive.add(connection);
    connection.control({
      type: 'Connected',
      message: {
        connection_id: id,
        keep_alive_seconds: this.options.keepAliveSeconds,
        resumed: start.resumed,
      },
    });
    if (start.resumed === 'gap') connection.resync(start.reason, start.isKnown);
    const replaced = replaces === undefined ? undefined : hub.get(replaces);
    if (replaced !== undefined && ownerOf(replaced.principal) === owner) replaced.close('replaced');
    return connection;
  }

  #start(connectionId: string, principal: Principal, { cursor, types }: ConnectRequest): Start {
    const { window, head } = this.parts.delivery;
    const audiences = audiencesOf(principal);
    const start = resume(cursor, audiences, { log: this.parts.log, window, head });
    if (start.resumed !== 'resumed') return start;
    const replay = window.after(start.position.offset, audiences);
    const { tokenId } = principal;
    const poison = this.#poison.begin(
      { connectionId, tokenId, cursor: start.position.cursor, types },
      replay,
    );
    if (poison === undefined) return start;
    const isKnown = poison.record.delivery !== 'critical';
    return { resumed: 'gap', reason: 'too_large', position: poison.position, isKnown };
  }
}
