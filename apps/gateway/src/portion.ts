/** How long one piece of work may keep others waiting. */
const PORTION_MS = 8;

const waiting: (() => void)[] = [];

function next(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(next);
}

/**
 * A share of the event loop. Long work asks between its steps whether its portion is over, and then waits for the next
 * one: `if (portion.isOver) await portion.next()`. However many works there are, each turn of the loop holds one portion,
 * so that requests wait for one and not for all of them.
 */
export class Portion {
  #until = performance.now() + PORTION_MS;

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
