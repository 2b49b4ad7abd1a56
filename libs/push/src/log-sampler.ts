/**
 * Logs the first lines of a kind in an interval, and counts the rest: the first line of the next interval says how many
 * were left out. Pure: the caller brings the time.
 */
export class LogSampler {
  readonly #intervals = new Map<string, { since: number; lines: number; leftOut: number }>();

  constructor(
    readonly lines: number,
    readonly intervalMs: number,
  ) {}

  /** How many lines before this one were left out; undefined: leave it out, too. */
  take(kind: string, now: number): { readonly leftOut: number } | undefined {
    const interval = this.#intervals.get(kind);
    if (interval === undefined || now - interval.since >= this.intervalMs) {
      this.#intervals.set(kind, { since: now, lines: 1, leftOut: 0 });
      return { leftOut: interval?.leftOut ?? 0 };
    }
    if (interval.lines < this.lines) {
      interval.lines += 1;
      return { leftOut: 0 };
    }
    interval.leftOut += 1;
    return undefined;
  }
}
