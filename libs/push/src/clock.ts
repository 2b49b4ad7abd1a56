/** Time, passed in so that tests need not wait. */
export interface Clock {
  /** Milliseconds since the epoch, for dates only: it jumps when somebody sets the machine's clock. */
  now(): number;
  /** Milliseconds since some moment, for every interval: it never steps back and never jumps. */
  elapsed(): number;
  /** Calls once after `milliseconds`; the answer cancels. Does not keep the process alive. */
  after(milliseconds: number, call: () => void): () => void;
}

/** Resolves after so many milliseconds. */
export const pause = (clock: Clock, milliseconds: number): Promise<void> =>
  new Promise((resolve) => void clock.after(milliseconds, resolve));

/** A moment of `Clock.elapsed` in tenths of a second: a small integer for years, which costs a stream nothing. */
export type Tenths = number;

export const tenthsOf = (clock: Clock): Tenths => Math.floor(clock.elapsed() / 100);

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(milliseconds, call) {
    const timer = setTimeout(call, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
