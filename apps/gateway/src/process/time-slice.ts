/** How long one piece of work may block the event loop. */
const SLICE_MS = 8;
/** The first slice is shorter: most work is done by then, and many pieces may begin at once. */
const FIRST_SLICE_MS = 1;

const waiting: (() => void)[] = [];

function next(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(next);
}

/**
 * A slice of the event loop's time. Long work checks between its steps whether its slice is over, and then waits for the
 * next one: `if (slice.isOver) await slice.next()`. Each turn of the loop runs one slice, however much work there is, so
 * a request waits for one slice and not for all the work.
 */
export class TimeSlice {
  #until = performance.now() + FIRST_SLICE_MS;

  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 1) setImmediate(next);
    });
    this.#until = performance.now() + SLICE_MS;
  }
}
