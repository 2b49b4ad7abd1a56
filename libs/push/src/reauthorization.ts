import { tenthsOf, type Tenths } from './clock.js';
import type { Connection } from './connection.js';
import { CALL_MS, withDeadline } from './deadline.js';
import type { Environment } from './environment.js';
import type { Hub } from './hub.js';
import { Loop } from './loop.js';
import type { Reauthorized } from './metrics.js';
import type { Principal, Reauthorize } from './principal.js';

/** Connections that one call asks about. */
const BATCH = 500;

/**
 * Closes connections whose credential has expired, and asks the authenticator about all others, every interval. So a
 * change that no message told of is noticed within the interval and the time of a round, as long as the authenticator
 * answers. Streams that it does not answer about in time stay as they are, until `Suspension` ends them.
 */
export class Reauthorization {
  readonly loop: Loop;

  constructor(
    private readonly hub: Hub,
    /** Undefined: nobody can be asked, and only expired credentials end. */
    private readonly reauthorize: Reauthorize | undefined,
    intervalSeconds: number,
    private readonly environment: Environment,
  ) {
    const { clock, onError } = environment;
    const intervalMs = intervalSeconds * 1000;
    const deadlineMs = Math.max(intervalMs / 2, CALL_MS);
    this.loop = new Loop({ name: 'reauthorization', intervalMs, deadlineMs, clock, onError }, (signal) =>
      this.round(signal),
    );
  }

  /**
   * Asks about every open connection, a batch at a time, first about those that were confirmed the longest ago.
   * @throws the first error, after it has asked about all
   */
  async round(signal?: AbortSignal): Promise<void> {
    const connections = this.#closeExpired().sort((a, b) => a.confirmedAt - b.confirmedAt);
    if (this.reauthorize === undefined) return;
    const errors: unknown[] = [];
    for (let first = 0; first < connections.length && signal?.aborted !== true; first += BATCH) {
      const batch = connections.slice(first, first + BATCH);
      try {
        await this.#ask(batch, this.reauthorize);
      } catch (error) {
        this.environment.metrics.reauthorized.failed += batch.length;
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Closes connections whose credential has expired, and returns the others. */
  #closeExpired(): Connection[] {
    const now = this.environment.clock.now();
    return [...this.hub.all()].filter((connection) => {
      const { expiresAt = Infinity } = connection.principal;
      if (expiresAt > now) return true;
      connection.close('unauthorized', 'The token has expired.');
      this.environment.metrics.reauthorized.ended += 1;
      return false;
    });
  }

  async #ask(connections: readonly Connection[], reauthorize: Reauthorize): Promise<void> {
    const { clock, metrics } = this.environment;
    const revisions = connections.map(({ revision }) => revision);
    const askedAt = tenthsOf(clock);
    const asked = reauthorize(connections.map(({ principal }) => principal));
    const principals = await withDeadline(clock, CALL_MS, 'the authenticator', asked);
    connections.forEach((connection, index) => {
      const outcome = this.#apply(connection, principals[index], revisions[index], askedAt);
      metrics.reauthorized[outcome] += 1;
    });
  }

  #apply(
    connection: Connection,
    principal: Principal | undefined,
    revision: number | undefined,
    askedAt: Tenths,
  ): Reauthorized {
    if (principal === undefined) {
      connection.close('unauthorized', 'The token is no longer valid.');
      return 'ended';
    }
    // Each change since was asked about by itself. This answer may be older.
    if (connection.revision !== revision) return 'outdated';
    const hasChanged = this.hub.grant(connection, principal.organizationIds);
    connection.confirm(askedAt, hasChanged);
    return hasChanged ? 'changed' : 'kept';
  }
}
