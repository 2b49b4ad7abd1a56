import type { Clock } from './clock.js';
import { LogSampler } from './log-sampler.js';
import { Loop } from './loop.js';
import type { PushMetrics } from './metrics.js';
import type { PushLogger } from './options.js';

/** Lines of one kind in an interval. */
const LINES = 5;
const SAMPLE_MS = 60_000;
/** How often the summary is logged, while streams do anything. */
const SUMMARY_MS = 10_000;

/** What the library logs: with reasons, without secrets, and a few lines however often the same happens. */
export class Report {
  readonly #sampler = new LogSampler(LINES, SAMPLE_MS);
  #reported: Record<string, number> = {};
  readonly loop: Loop;

  constructor(
    private readonly logger: PushLogger,
    private readonly metrics: PushMetrics,
    private readonly clock: Clock,
  ) {
    this.loop = new Loop(
      { name: 'summary', intervalMs: SUMMARY_MS, deadlineMs: SUMMARY_MS, clock, onError: this.error },
      () => this.summarize(),
    );
  }

  /** Logs an error that no caller hears of. */
  readonly error = (error: unknown, doing: string): void => {
    const taken = this.#sampler.take(doing, this.clock.elapsed());
    if (taken === undefined) return;
    const why = error instanceof Error ? error.message : String(error);
    const before = taken.leftOut === 0 ? '' : ` (${taken.leftOut} more like this before)`;
    this.logger.error(`While ${doing}: ${why}${before}`);
  };

  /** Logs one line for all that streams did since the last one. */
  summarize(): void {
    const { active, opened, closed, refused } = this.metrics.totals;
    const counts = { opened, ...prefixed('closed', closed), ...prefixed('refused', refused) };
    const since = Object.entries(counts).flatMap(([what, count]) => {
      const more = count - (this.#reported[what] ?? 0);
      return more === 0 ? [] : [`${what} ${more}`];
    });
    this.#reported = counts;
    if (since.length > 0)
      this.logger.log(`${active} streams are open; since the last line ${since.join(', ')}.`);
  }
}

const prefixed = (what: string, counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).map(([reason, count]) => [`${what} (${reason})`, count]));
