import type { Clock } from './clock.js';
import type { PushMetrics } from './metrics.js';

/** What every part of the library gets from outside. */
export interface Environment {
  readonly clock: Clock;
  /** From 0 to 1, as `Math.random`. */
  readonly random: () => number;
  readonly metrics: PushMetrics;
  /** Hears of errors that no caller can. `doing` completes the sentence "While …". */
  readonly onError: (error: unknown, doing: string) => void;
}
