/**
 * Bounds how often one kind of thing is logged: a few lines in each window, and how many were left out with the first
 * line of the next. Pure: the caller brings the time.
 */
export class LogBudget {
  readonly #spent = new Map<string, { since: number; lines: number; leftOut: number }>();

  constructor(
    readonly lines: number,
    readonly windowMs: number,
  ) {}

  /** Whether to write this line, and how many before it were not written; undefined: leave it out. */
  take(kind: string, now: number): { readonly leftOut: number } | undefined {
    const spent = this.#spent.get(kind);
    if (spent === undefined || now - spent.since >= this.windowMs) {
      this.#spent.set(kind, { since: now, lines: 1, leftOut: 0 });
      return { leftOut: spent?.leftOut ?? 0 };
    }
    if (spent.lines < this.lines) {
      spent.lines += 1;
      return { leftOut: 0 };
    }
    spent.leftOut += 1;
    return undefined;
  }
}
