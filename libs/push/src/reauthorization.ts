import type { Clock } from './clock.js';
import type { Connection } from './connection.js';
import type { Hub } from './hub.js';
import { PushMetrics, type Reauthorized } from './metrics.js';
import type { Authenticator, Principal } from './principal.js';

/** Connections that one question is about. */
const BATCH = 500;

/**
 * Asks the authenticator about every open connection, again and again, so that a change which no message told of is
 * noticed too: within the interval and the time that a round takes, as long as the authenticator answers.
 */
export class Reauthorization {
  #cancel: () => void = () => undefined;
  #isStopped = false;

  constructor(
    private readonly hub: Hub,
    private readonly authenticator: Authenticator,
    private readonly intervalSeconds: number,
    private readonly clock: Clock,
    private readonly onError: (error: unknown, doing: string) => void,
    private readonly metrics = new PushMetrics(),
  ) {}

  start(): void {
    this.#cancel = this.clock.after(this.intervalSeconds * 1000, () => {
      void this.round().then(() => {
        if (!this.#isStopped) this.start();
      });
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Asks about everyone who is here, a batch at a time. */
  async round(): Promise<void> {
    const connections = this.#unexpired();
    for (let first = 0; first < connections.length; first += BATCH) {
      const batch = connections.slice(first, first + BATCH);
      try {
        await this.#ask(batch);
      } catch (error) {
        this.metrics.reauthorized.failed += batch.length;
        this.onError(error, 'asking again about open streams; they stay until an answer comes');
      }
    }
  }

  /** Those that are here, once those are closed whose credential has ended. */
  #unexpired(): Connection[] {
    const now = this.clock.now();
    return [...this.hub.all()].filter((connection) => {
      const { expiresAt = Infinity } = connection.principal;
      if (expiresAt > now) return true;
      connection.close('unauthorized', 'The token has expired.');
      this.metrics.reauthorized.ended += 1;
      return false;
    });
  }

  async #ask(connections: readonly Connection[]): Promise<void> {
    const revisions = connections.map(({ revision }) => revision);
    const principals = await this.authenticator.reauthorize(connections.map(({ principal }) => principal));
    connections.forEach((connection, index) => {
      const outcome = this.#apply(connection, principals[index], revisions[index]);
      this.metrics.reauthorized[outcome] += 1;
    });
  }

  #apply(
    connection: Connection,
    principal: Principal | undefined,
    revision: number | undefined,
  ): Reauthorized {
    if (principal === undefined) {
      connection.close('unauthorized', 'The token is no longer valid.');
      return 'ended';
    }
    // What has changed since was asked about in its turn; this answer may be older.
    if (connection.revision !== revision) return 'outdated';
    if (!this.hub.grant(connection, principal.organizationIds)) return 'kept';
    // No message told of it, so what the client holds is stale, and nobody knows since when.
    connection.resync('gap');
    return 'changed';
  }
}
