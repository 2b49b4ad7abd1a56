import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Clock } from '../clock.js';
import { LogBudget } from '../log-budget.js';
import { Loop } from '../loop.js';
import type { PushMetrics } from '../metrics.js';

const LINES = 5;
const WINDOW_MS = 60_000;
/** What streams did is said this often, where they did anything. */
const SUMMARY_MS = 10_000;

/** What the library logs: with reasons, without secrets, and however many do the same, a few lines. */
export class PushLog implements OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger('Push');
  readonly #budget = new LogBudget(LINES, WINDOW_MS);
  #said: Record<string, number> = {};
  readonly #loop: Loop;

  constructor(
    private readonly metrics: PushMetrics,
    private readonly clock: Clock,
  ) {
    this.#loop = new Loop(
      { name: 'summary', intervalMs: SUMMARY_MS, deadlineMs: SUMMARY_MS, clock, onError: this.failure },
      () => this.#summarize(),
    );
  }

  onModuleInit(): void {
    this.metrics.watch(this.#loop);
    this.#loop.start();
  }

  onApplicationShutdown(): void {
    this.#loop.stop();
    this.#summarize();
  }

  /** Something failed that nobody else hears of. */
  readonly failure = (error: unknown, doing: string): void => {
    const taken = this.#budget.take(doing, this.clock.elapsed());
    if (taken === undefined) return;
    const why = error instanceof Error ? error.message : String(error);
    const before = taken.leftOut === 0 ? '' : ` (${taken.leftOut} more like this before)`;
    this.#logger.error(`While ${doing}: ${why}${before}`);
  };

  /** One line for all that streams did since the last one. */
  #summarize(): void {
    const { active, opened, closed, refused } = this.metrics.totals;
    const counts = { opened, ...prefixed('closed', closed), ...prefixed('refused', refused) };
    const since = Object.entries(counts).flatMap(([what, count]) => {
      const more = count - (this.#said[what] ?? 0);
      return more === 0 ? [] : [`${what} ${more}`];
    });
    this.#said = counts;
    if (since.length > 0)
      this.#logger.log(`${active} streams are open; since the last line ${since.join(', ')}.`);
  }
}

const prefixed = (what: string, counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).map(([reason, count]) => [`${what} (${reason})`, count]));
