import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { FlexibleLimiter } from '../flexible-limiter.js';
import type { MakeLimiter } from '../limiter.js';

/** A limiter of this process. */
export const memoryLimiter: MakeLimiter = (_name, points, seconds) =>
  new FlexibleLimiter(new AllOrNone({ points, duration: seconds }), seconds);

/** The library's limiter in memory also counts what it refuses. This one does not. */
export class AllOrNone extends RateLimiterMemory {
  override async consume(key: string, points = 1): Promise<RateLimiterRes> {
    try {
      return await super.consume(key, points);
    } catch (refused) {
      if (refused instanceof RateLimiterRes) await this.reward(key, points);
      throw refused;
    }
  }
}
