import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import type { Response } from 'express';
import { RateLimiterMemory, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { ProblemException } from '../http/problem.js';

/** The budget that a request counts against. `side`: what client libraries send beside events; `none`: not throttled. */
export type Budget = 'api' | 'ingest' | 'side' | 'none';

export const BUDGET = 'crossfade:budget';
/** Sets the budget of a route; without it, a route counts against `api`. */
export const CountsAgainst = (budget: Budget) =>
  applyDecorators(SetMetadata(BUDGET, budget), ApiExtension('x-throttle', budget));

const MINUTE_SECONDS = 60;

/**
 * Limits each caller's requests a minute, in the memory of this process. A limiter over Redis has the same methods, and
 * can replace it where several replicas share one.
 */
export class Throttle {
  readonly #limiters: Readonly<Record<Exclude<Budget, 'none'>, RateLimiterAbstract | undefined>>;
  readonly #events: RateLimiterAbstract | undefined;

  /** Limits of requests a minute, and of `events` a minute; 0: no limit. */
  constructor(limits: Readonly<Record<'api' | 'ingest' | 'events', number>>) {
    this.#limiters = {
      api: limiter(limits.api),
      ingest: limiter(limits.ingest),
      side: limiter(limits.ingest),
    };
    this.#events = limiter(limits.events);
  }

  /**
   * Counts the events of a batch, all or none: a refused batch takes nothing from the budget. With 0, only checks that
   * something is left. @throws ProblemException 429
   */
  async countEvents(caller: string, events: number): Promise<void> {
    const limiter = this.#events;
    if (limiter === undefined) return;
    const state = await limiter.get(caller);
    const consumed = state?.consumedPoints ?? 0;
    if (consumed + Math.max(1, events) > limiter.points) {
      throw new ProblemException(
        429,
        `You may send ${limiter.points} events a minute; slow down and try again${events > limiter.points ? ', with fewer at once' : ''}.`,
        undefined,
        secondsOf(state?.msBeforeNext ?? MINUTE_SECONDS * 1000),
      );
    }
    if (events > 0) await limiter.consume(caller, events);
  }

  /** Counts one request, and sets the headers that say what is left. @throws ProblemException 429 when nothing is left */
  async count(budget: Budget, caller: string, response: Response): Promise<void> {
    const limiter = budget === 'none' ? undefined : this.#limiters[budget];
    if (limiter === undefined) return;
    const { allowed, state } = await consume(limiter, caller);
    response.setHeader('X-RateLimit-Limit', limiter.points);
    response.setHeader('X-RateLimit-Remaining', state.remainingPoints);
    response.setHeader('X-RateLimit-Reset', Math.ceil((Date.now() + state.msBeforeNext) / 1000));
    if (!allowed) {
      throw tooMany(
        response,
        state,
        `You may send ${limiter.points} requests a minute; slow down and try again.`,
      );
    }
  }
}

/** A limiter of `points` a minute for each key. */
export const limiterOf = (points: number): RateLimiterAbstract =>
  new RateLimiterMemory({ points, duration: MINUTE_SECONDS });

/** Counts one. @throws ProblemException 429 with `sentence` when there were too many */
export async function countWithin(
  limiter: RateLimiterAbstract,
  key: string,
  response: Response,
  sentence: string,
): Promise<void> {
  const { allowed, state } = await consume(limiter, key);
  if (!allowed) throw tooMany(response, state, sentence);
}

const limiter = (points: number) => (points === 0 ? undefined : limiterOf(points));

async function consume(
  limiter: RateLimiterAbstract,
  key: string,
): Promise<{ allowed: boolean; state: RateLimiterRes }> {
  try {
    return { allowed: true, state: await limiter.consume(key) };
  } catch (refused) {
    // The library throws the state to refuse.
    if (refused instanceof RateLimiterRes) return { allowed: false, state: refused };
    throw refused;
  }
}

function tooMany(response: Response, { msBeforeNext }: RateLimiterRes, detail: string): ProblemException {
  response.setHeader('Retry-After', secondsOf(msBeforeNext));
  return new ProblemException(429, detail);
}

/** At most a whole period, however the wall clock jumped meanwhile. */
const secondsOf = (milliseconds: number): number =>
  Math.min(MINUTE_SECONDS, Math.max(1, Math.ceil(milliseconds / 1000)));
