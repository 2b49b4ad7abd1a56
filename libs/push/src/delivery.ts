import type { Authenticator, Principal } from './principal.js';
import type { Clock } from './clock.js';
import { tenthsOf, type Tenths } from './confirmation.js';
import type { Connection } from './connection.js';
import { withDeadline } from './deadline.js';
import { LoggedFrame } from './frame.js';
import type { Hub } from './hub.js';
import type { LogRecord, MessageLog, Position } from './log.js';
import { Loop } from './loop.js';
import { PushMetrics } from './metrics.js';
import { concerns, route, type Route } from './router.js';
import { Window, type WindowLimits } from './window.js';

/** How long a membership may wait for the authenticator; everything behind it in the log waits as well. */
const CONFIRM_MS = 2000;
/** After one that had no answer, nobody waits for so long: else each membership would hold the log up, one after the other. */
const PAUSE_MS = 10_000;

/** How often critical records that are too old are looked for. */
const EXPIRE_MS = 60_000;

export interface DeliveryLimits {
  readonly window: WindowLimits;
  /** Records that are handed over before sockets get to write. A write queue must be able to hold as many. */
  readonly portion: number;
}

/**
 * Reads the log, in order: remembers each record in the window, applies its effect, hands its frame to the
 * connections of its audience. A record whose effect needs the authenticator holds up the ones after it, so that
 * nothing of an organization passes between joining it and hearing of it.
 */
export class Delivery {
  #window: Window | undefined;
  #head: Position | undefined;
  #sincePause = 0;
  /** When the authenticator last had no answer. */
  #unansweredAt = -Infinity;
  /** Forgets critical records that are too old. */
  readonly expiry: Loop;

  constructor(
    private readonly log: MessageLog,
    private readonly hub: Hub,
    private readonly authenticator: Authenticator,
    private readonly clock: Clock,
    private readonly limits: DeliveryLimits,
    private readonly onError: (error: unknown, doing: string) => void,
    private readonly metrics = new PushMetrics(),
  ) {
    this.expiry = new Loop(
      { name: 'expiry', intervalMs: EXPIRE_MS, deadlineMs: EXPIRE_MS, clock, onError },
      () => this.window.expire(clock.now()),
    );
  }

  async start(): Promise<void> {
    const start = await this.log.open();
    this.#head = start.head;
    this.#window = Window.of(this.limits.window, start);
    this.window.expire(this.clock.now());
    this.expiry.start();
    this.log.follow((record) => this.#deliver(record));
  }

  stop(): void {
    this.expiry.stop();
  }

  /** The last record that was handed to the hub: where a stream stands that has nothing waiting. */
  get head(): Position {
    if (this.#head === undefined) throw new Error('delivery has not started: call start() first');
    return this.#head;
  }

  /** Also holds a record whose effect is being applied, so that whoever registers meanwhile hears of it. */
  get window(): Window {
    if (this.#window === undefined) throw new Error('delivery has not started: call start() first');
    return this.#window;
  }

  /** Whether nothing that concerns a principal has come in since the log stood at `position`. */
  isCurrent(principal: Principal, { place }: Position): boolean {
    const since = this.window.effectsSince(place);
    return since !== undefined && !since.some((record) => concerns(route(record), principal));
  }

  async #deliver(record: LogRecord): Promise<void> {
    try {
      const frame = new LoggedFrame(record);
      this.window.push(frame);
      const routed = route(record);
      const applied = this.#apply(routed);
      // Only an effect that asks the authenticator waits; everything else is handed over in this very turn.
      if (applied !== undefined) await applied;
      this.#handOver(frame, routed);
    } catch (error) {
      // Whatever is wrong with one record must not end the reading of the log.
      this.onError(error, `handing over a ${record.type}`);
    }
    this.#sincePause += 1;
    if (this.#sincePause < this.limits.portion) return;
    // A burst would fill the queue of a client that is not slow at all: no socket writes before this turn ends.
    this.#sincePause = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }

  #handOver(frame: LoggedFrame, { audience }: Route): void {
    this.#head = { cursor: frame.cursor, place: frame.place };
    for (const connection of this.hub.of(audience)) connection.offer(frame);
    this.metrics.handedOver(frame.record.appendedAt);
  }

  #apply({ effect, audience }: Route): void | Promise<void> {
    switch (effect?.kind) {
      case undefined:
        return;
      case 'revocation':
        this.metrics.revocations += 1;
        for (const connection of [...this.hub.ofToken(effect.token_id)]) revoke(connection);
        return;
      case 'membership':
        if (effect.change === 'removed') {
          for (const connection of this.hub.ofUser(effect.user_id)) {
            connection.revision += 1;
            this.hub.leave(connection, effect.organization_id);
          }
          return;
        }
        return this.#confirm([...this.hub.ofUser(effect.user_id)], 'membership');
      case 'unknown':
        return this.#confirm([...this.hub.of(audience)], 'unknown');
    }
  }

  /** Gives connections the organizations that the authenticator says they have now. */
  async #confirm(connections: readonly Connection[], effect: 'membership' | 'unknown'): Promise<void> {
    if (connections.length === 0) return;
    for (const connection of connections) connection.revision += 1;
    if (effect === 'membership' && this.clock.elapsed() - this.#unansweredAt < PAUSE_MS) {
      return doubt(connections);
    }
    const asked = tenthsOf(this.clock);
    try {
      const now = await withDeadline(
        this.clock,
        CONFIRM_MS,
        'the authenticator',
        this.authenticator.reauthorize(connections.map(({ principal }) => principal)),
      );
      connections.forEach((connection, index) => this.#grant(connection, now[index], asked));
    } catch (error) {
      this.#unansweredAt = this.clock.elapsed();
      if (effect === 'membership') {
        // Nothing is granted, so nobody hears what is not for them; who joined is told to fetch when it is.
        doubt(connections);
        this.onError(error, 'confirming a membership; it is granted by the next reauthorization');
        return;
      }
      this.onError(
        error,
        'asking about an effect that is not known; the connections concerned must come back',
      );
      for (const connection of connections) {
        connection.hold();
        connection.close('internal_error');
      }
    }
  }

  #grant(connection: Connection, principal: Principal | undefined, asked: Tenths): void {
    if (principal === undefined) return revoke(connection);
    this.hub.grant(connection, principal.organizationIds);
    connection.confirm(asked);
  }
}

function doubt(connections: readonly Connection[]): void {
  for (const connection of connections) connection.doubt();
}

function revoke(connection: Connection): void {
  connection.close('revoked', 'The token was revoked.');
}
