import type { Clock } from './clock.js';
import type { Hub } from './hub.js';
import { Loop } from './loop.js';

/** A moment of `Clock.elapsed` in tenths of a second: a small integer for years, which costs a stream nothing. */
export type Tenths = number;

export const tenthsOf = (clock: Clock): Tenths => Math.floor(clock.elapsed() / 100);

/** How often it looks, milliseconds, and at least how often in the time over which ends are spread. */
const LOOK_MS = 1000;
const LOOKS = 10;

/**
 * Ends streams of which nobody has been able to say for too long what they may hear. Each is handed nothing more from
 * the first look on that finds it late, and ends at a random one of those in the spread, so that clients do not come back
 * all at once. Its position is where it was, so that the next stream misses nothing.
 */
export class Confirmation {
  readonly loop: Loop;

  /** `unconfirmedSeconds`: 0 is never. */
  constructor(
    private readonly hub: Hub,
    private readonly unconfirmedSeconds: number,
    private readonly spreadSeconds: number,
    private readonly clock: Clock,
    onError: (error: unknown, doing: string) => void,
    private readonly random: () => number = Math.random,
  ) {
    const intervalMs = this.#lookMs;
    this.loop = new Loop({ name: 'confirmation', intervalMs, deadlineMs: intervalMs, clock, onError }, () =>
      this.look(),
    );
  }

  look(): void {
    if (this.unconfirmedSeconds === 0) return;
    const latest = tenthsOf(this.clock) - this.unconfirmedSeconds * 10;
    for (const connection of [...this.hub.all()]) {
      const late = latest - connection.confirmedAt;
      if (late < 0) continue;
      connection.hold();
      const left = Math.ceil((this.spreadSeconds * 1000 - late * 100) / this.#lookMs);
      if (this.random() * left < 1) connection.close('unconfirmed');
    }
  }

  get #lookMs(): number {
    return Math.min(LOOK_MS, (this.spreadSeconds * 1000) / LOOKS);
  }
}
