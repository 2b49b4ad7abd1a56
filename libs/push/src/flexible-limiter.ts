import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import type { Count, Limiter } from './limiter.js';

/** A limiter of the library `rate-limiter-flexible`, which must count all or none. */
export class FlexibleLimiter implements Limiter {
  constructor(
    private readonly limiter: RateLimiterAbstract,
    private readonly seconds: number,
  ) {}

  get points(): number {
    return this.limiter.points;
  }

  async count(key: string, points = 1): Promise<Count> {
    try {
      return this.#read(true, await this.limiter.consume(key, points));
    } catch (refused) {
      // The library throws the state to refuse.
      if (refused instanceof RateLimiterRes) return this.#read(false, refused);
      throw refused;
    }
  }

  async look(key: string): Promise<Count> {
    const state = await this.limiter.get(key);
    if (state === null)
      return { fits: this.points > 0, left: this.points, msBeforeNext: this.seconds * 1000 };
    return this.#read(state.consumedPoints < this.points, state);
  }

  async giveBack(key: string, points = 1): Promise<void> {
    await this.limiter.reward(key, points);
  }

  async forget(key: string): Promise<void> {
    await this.limiter.delete(key);
  }

  /**
   * A period ends on time, but in memory the library computes what is left of it from the wall clock: when that steps
   * back, the rest is too long.
   */
  #read(fits: boolean, { remainingPoints, msBeforeNext }: RateLimiterRes): Count {
    return {
      fits,
      left: remainingPoints,
      msBeforeNext: Math.min(Math.max(msBeforeNext, 0), this.seconds * 1000),
    };
  }
}
