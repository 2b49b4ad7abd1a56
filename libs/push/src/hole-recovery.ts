import { pause, tenthsOf } from './clock.js';
import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import type { Hub } from './hub.js';
import type { Hole } from './log.js';
import type { Reauthorization } from './reauthorization.js';

/** Between two attempts to ask about every connection, milliseconds. */
const RETRY_MS = 1000;

/**
 * What follows a hole in the log. The missing records may have revoked a token or ended a membership, so every open
 * connection is reauthorized before it is handed anything more; they may have concerned anybody, so every client
 * resyncs.
 */
export class HoleRecovery {
  constructor(
    private readonly hub: Hub,
    private readonly reauthorization: Pick<Reauthorization, 'round'>,
    private readonly environment: Pick<Environment, 'clock' | 'onError' | 'metrics'>,
  ) {}

  /**
   * `skip` moves the window on. The log waits until it resolves, so nobody is handed anything meanwhile. Streams that
   * nobody confirms end by `Suspension`.
   */
  async recover({ kind, isComplete }: Hole, skip: () => void): Promise<void> {
    this.environment.metrics.holes[kind] += 1;
    await this.#reauthorizeAll();
    skip();
    for (const connection of [...this.hub.all()]) {
      connection.resyncOrClose(kind === 'trimmed' ? 'gap' : 'log_lost', isComplete);
    }
  }

  /** Asks again, if a stream opened meanwhile with rights that were read before. */
  async #reauthorizeAll(): Promise<void> {
    const foundAt = tenthsOf(this.environment.clock);
    const asked = new Set<Connection>();
    const isUnasked = (one: Connection): boolean => one.confirmedAt <= foundAt && !asked.has(one);
    do {
      for (const connection of this.hub.all()) asked.add(connection);
      while (!(await this.#reauthorized())) await pause(this.environment.clock, RETRY_MS);
    } while ([...this.hub.all()].some(isUnasked));
  }

  async #reauthorized(): Promise<boolean> {
    try {
      await this.reauthorization.round();
      return true;
    } catch (error) {
      this.environment.onError(error, 'reauthorizing every stream after a hole in the log');
      return false;
    }
  }
}
