import type { Clock } from './clock.js';
import type { Connection } from './connection.js';
import type { Hub } from './hub.js';
import type { Authenticator } from './principal.js';

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
    const connections = [...this.hub.all()];
    for (let first = 0; first < connections.length; first += BATCH) {
      try {
        await this.#ask(connections.slice(first, first + BATCH));
      } catch (error) {
        this.onError(error, 'asking again about open streams; they stay until an answer comes');
      }
    }
  }

  async #ask(connections: readonly Connection[]): Promise<void> {
    const revisions = connections.map(({ revision }) => revision);
    const principals = await this.authenticator.reauthorize(connections.map(({ principal }) => principal));
    connections.forEach((connection, index) => {
      const principal = principals[index];
      if (principal === undefined) {
        return connection.close('unauthorized', 'The token is no longer valid.');
      }
      // What has changed since was asked about in its turn; this answer may be older.
      if (connection.revision !== revisions[index]) return;
      // No message told of it, so what the client holds is stale, and nobody knows since when.
      if (this.hub.grant(connection, principal.organizationIds)) connection.resync('gap');
    });
  }
}
