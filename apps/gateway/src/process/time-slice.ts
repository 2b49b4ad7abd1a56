/** How long one piece of work may keep others waiting. */
const PORTION_MS = 8;
/** What a piece of work may take before it waits for its first turn: most are over by then, and many may begin at once. */
const BEGINNING_MS = 1;

const waiting: (() => void)[] = [];

function next(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(next);
}

/**
 * A share of the event loop. Long work asks between its steps whether its portion is over, and then waits for the next
 * one: `if (slice.isOver) await slice.next()`. However many works there are, each turn of the loop holds one portion,
 * so that requests wait for one and not for all of them.
 */
export class TimeSlice {
  #until = performance.now() + BEGINNING_MS;

  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 1) setImmediate(next);
    });
    this.#until = performance.now() + PORTION_MS;
  }
}
