import type { Clock } from './clock.js';
import { tenthsOf, type Tenths } from './confirmation.js';
import type { Connection } from './connection.js';
import { CALL_MS, withDeadline } from './deadline.js';
import type { Hub } from './hub.js';
import { Loop } from './loop.js';
import { PushMetrics, type Reauthorized } from './metrics.js';
import type { Authenticator, Principal } from './principal.js';

/** Connections that one question is about. */
const BATCH = 500;

/**
 * Asks the authenticator about every open connection, again and again, so that a change which no message told of is
 * noticed too: within the interval and the time that a round takes, as long as the authenticator answers. A question that
 * is not answered in time is given up, and its streams stay as they are: `Confirmation` ends them in the end.
 */
export class Reauthorization {
  readonly loop: Loop;

  constructor(
    private readonly hub: Hub,
    private readonly authenticator: Authenticator,
    intervalSeconds: number,
    private readonly clock: Clock,
    onError: (error: unknown, doing: string) => void,
    private readonly metrics = new PushMetrics(),
  ) {
    const intervalMs = intervalSeconds * 1000;
    const deadlineMs = Math.max(intervalMs / 2, CALL_MS);
    this.loop = new Loop({ name: 'reauthorization', intervalMs, deadlineMs, clock, onError }, (signal) =>
      this.round(signal),
    );
  }

  /**
   * Asks about everyone who is here, a batch at a time, first about those whose last answer is the oldest.
   * @throws the first error, after it has asked about all
   */
  async round(signal?: AbortSignal): Promise<void> {
    const connections = this.#unexpired().sort((a, b) => a.confirmedAt - b.confirmedAt);
    const errors: unknown[] = [];
    for (let first = 0; first < connections.length && signal?.aborted !== true; first += BATCH) {
      const batch = connections.slice(first, first + BATCH);
      try {
        await this.#ask(batch);
      } catch (error) {
        this.metrics.reauthorized.failed += batch.length;
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
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
    const asked = tenthsOf(this.clock);
    const principals = await withDeadline(
      this.clock,
      CALL_MS,
      'the authenticator',
      this.authenticator.reauthorize(connections.map(({ principal }) => principal)),
    );
    connections.forEach((connection, index) => {
      const outcome = this.#apply(connection, principals[index], revisions[index], asked);
      this.metrics.reauthorized[outcome] += 1;
    });
  }

  #apply(
    connection: Connection,
    principal: Principal | undefined,
    revision: number | undefined,
    asked: Tenths,
  ): Reauthorized {
    if (principal === undefined) {
      connection.close('unauthorized', 'The token is no longer valid.');
      return 'ended';
    }
    // What has changed since was asked about in its turn; this answer may be older.
    if (connection.revision !== revision) return 'outdated';
    const hasChanged = this.hub.grant(connection, principal.organizationIds);
    connection.confirm(asked, hasChanged);
    return hasChanged ? 'changed' : 'kept';
  }
}
