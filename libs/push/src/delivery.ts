import type { Authenticator, Principal } from './principal.js';
import type { Clock } from './clock.js';
import type { Connection } from './connection.js';
import { LoggedFrame } from './frame.js';
import type { Hub } from './hub.js';
import type { LogRecord, MessageLog, Position } from './log.js';
import { PushMetrics } from './metrics.js';
import { concerns, route, type Route } from './router.js';
import { Window, type WindowLimits } from './window.js';

/** How long a membership may wait for the authenticator before the connections concerned must come back instead. */
const CONFIRM_MS = 2000;

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
  #cancelExpiry: () => void = () => undefined;

  constructor(
    private readonly log: MessageLog,
    private readonly hub: Hub,
    private readonly authenticator: Authenticator,
    private readonly clock: Clock,
    private readonly limits: DeliveryLimits,
    private readonly onError: (error: unknown, doing: string) => void,
    private readonly metrics = new PushMetrics(),
  ) {}

  async start(): Promise<void> {
    const start = await this.log.open();
    this.#head = start.head;
    this.#window = Window.of(this.limits.window, start);
    this.#expire();
    this.log.follow((record) => this.#deliver(record));
  }

  stop(): void {
    this.#cancelExpiry();
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

  #expire(): void {
    this.window.expire(this.clock.now());
    this.#cancelExpiry = this.clock.after(EXPIRE_MS, () => this.#expire());
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
    this.metrics.handedOver(frame.record.publishedAt);
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
        return this.#confirm([...this.hub.ofUser(effect.user_id)]);
      case 'unknown':
        return this.#confirm([...this.hub.of(audience)]);
    }
  }

  /** Gives connections the organizations that the authenticator says they have now. */
  async #confirm(connections: readonly Connection[]): Promise<void> {
    if (connections.length === 0) return;
    for (const connection of connections) connection.revision += 1;
    try {
      const now = await this.#withinTime(
        this.authenticator.reauthorize(connections.map(({ principal }) => principal)),
      );
      connections.forEach((connection, index) => this.#grant(connection, now[index]));
    } catch (error) {
      this.onError(error, 'confirming a membership; the connections concerned must come back');
      for (const connection of connections) connection.close('internal_error');
    }
  }

  #grant(connection: Connection, principal: Principal | undefined): void {
    if (principal === undefined) revoke(connection);
    else this.hub.grant(connection, principal.organizationIds);
  }

  #withinTime<T>(asked: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.clock.after(CONFIRM_MS, () =>
        reject(new Error(`the authenticator did not answer within ${CONFIRM_MS} ms`)),
      );
      asked.then(resolve, reject).finally(cancel);
    });
  }
}

function revoke(connection: Connection): void {
  connection.close('revoked', 'The token was revoked.');
}
