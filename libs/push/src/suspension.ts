import { tenthsOf } from './clock.js';
import type { Environment } from './environment.js';
import type { Hub } from './hub.js';
import { Loop } from './loop.js';

/** How often it looks, milliseconds, and at least how often in the time over which ends are spread. */
const LOOK_MS = 1000;
const LOOKS = 10;

/**
 * Suspends and ends streams whose rights could not be confirmed for too long. A late stream is suspended at the first
 * look that finds it, and closed at a random later one within the spread, so that clients do not come back all at once.
 * Its position stays where it was, so the next stream misses nothing.
 */
export class Suspension {
  readonly loop: Loop;

  /** `unconfirmedSeconds`: 0 is never. */
  constructor(
    private readonly hub: Hub,
    private readonly unconfirmedSeconds: number,
    private readonly spreadSeconds: number,
    private readonly environment: Environment,
  ) {
    const { clock, onError } = environment;
    const intervalMs = this.#lookMs;
    this.loop = new Loop({ name: 'confirmation', intervalMs, deadlineMs: intervalMs, clock, onError }, () =>
      this.look(),
    );
  }

  look(): void {
    if (this.unconfirmedSeconds === 0) return;
    const latest = tenthsOf(this.environment.clock) - this.unconfirmedSeconds * 10;
    for (const connection of [...this.hub.all()]) {
      const late = latest - connection.confirmedAt;
      if (late < 0) continue;
      connection.suspend();
      const left = Math.ceil((this.spreadSeconds * 1000 - late * 100) / this.#lookMs);
      if (this.environment.random() * left < 1) connection.close('unconfirmed');
    }
  }

  get #lookMs(): number {
    return Math.min(LOOK_MS, (this.spreadSeconds * 1000) / LOOKS);
  }
}
