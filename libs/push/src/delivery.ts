import type { Authenticator, Principal } from './principal.js';
import type { Clock } from './clock.js';
import type { Connection } from './connection.js';
import { Frame } from './frame.js';
import type { Hub } from './hub.js';
import type { Cursor, LogRecord, MessageLog } from './log.js';
import { route, type Route } from './router.js';
import { Window } from './window.js';

/** How long a membership may wait for the authenticator before the connections concerned must come back instead. */
const CONFIRM_MS = 2000;

export interface DeliveryLimits {
  /** Records that the window remembers. */
  readonly window: number;
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
  #head: Cursor = '';
  #sincePause = 0;

  constructor(
    private readonly log: MessageLog,
    private readonly hub: Hub,
    private readonly authenticator: Authenticator,
    private readonly clock: Clock,
    private readonly limits: DeliveryLimits,
    private readonly onError: (error: unknown, doing: string) => void,
  ) {}

  async start(): Promise<void> {
    this.#head = await this.log.head();
    this.#window = new Window(this.limits.window, this.#head);
    this.log.follow((record) => this.#deliver(record));
  }

  /** The last record that was handed to the hub: where a stream stands that has nothing waiting. */
  get head(): Cursor {
    return this.#head;
  }

  /** Also holds a record whose effect is being applied, so that whoever registers meanwhile hears of it. */
  get window(): Window {
    if (this.#window === undefined) throw new Error('delivery has not started: call start() first');
    return this.#window;
  }

  /** The records that were handed to the hub after `cursor`; undefined if they are not all held. */
  handedOverSince(cursor: Cursor): readonly LogRecord[] | undefined {
    const records = this.window.since(cursor);
    if (records === undefined) return undefined;
    // The last ones may still wait for their effect; they are handed over when it is applied.
    const last = records.findLastIndex((record) => record.cursor === this.#head);
    return records.slice(0, last + 1);
  }

  async #deliver(record: LogRecord): Promise<void> {
    try {
      this.window.push(record);
      const routed = route(record);
      const applied = this.#apply(routed);
      // Only an effect that asks the authenticator waits; everything else is handed over in this very turn.
      if (applied !== undefined) await applied;
      this.#handOver(record, routed);
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

  #handOver(record: LogRecord, { audience }: Route): void {
    this.#head = record.cursor;
    const frame = Frame.of(record);
    for (const connection of this.hub.of(audience)) connection.offer(frame);
  }

  #apply({ effect, audience }: Route): void | Promise<void> {
    switch (effect?.kind) {
      case undefined:
        return;
      case 'revocation':
        for (const connection of [...this.hub.ofToken(effect.token_id)]) revoke(connection);
        return;
      case 'membership':
        if (effect.change === 'removed') {
          for (const connection of this.hub.ofUser(effect.user_id)) {
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
    if (principal === undefined) return revoke(connection);
    const before = [...connection.organizationIds];
    for (const id of before) if (!principal.organizationIds.has(id)) this.hub.leave(connection, id);
    for (const id of principal.organizationIds) this.hub.join(connection, id);
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
  connection.close('revoked', { reason: 'The token was revoked.' });
}
