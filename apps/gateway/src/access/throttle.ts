import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import type { Response } from 'express';
import { RateLimiterMemory, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { ProblemException } from '../http/problem.js';

/** What a request counts against; `side`: what clients say beside their events; `none`: it is not throttled. */
export type Budget = 'api' | 'ingest' | 'side' | 'none';

export const BUDGET = 'crossfade:budget';
/** Routes count against `api` unless they say otherwise. */
export const CountsAgainst = (budget: Budget) =>
  applyDecorators(SetMetadata(BUDGET, budget), ApiExtension('x-throttle', budget));

const MINUTE_SECONDS = 60;

/**
 * Requests a minute, for each caller. In the memory of this process; a limiter over Redis has the same methods, and
 * takes its place where several replicas share one.
 */
export class Throttle {
  readonly #limiters: Readonly<Record<Exclude<Budget, 'none'>, RateLimiterAbstract | undefined>>;
  readonly #events: RateLimiterAbstract | undefined;

  /** Requests a minute, and `events` of them all; 0: no limit. */
  constructor(limits: Readonly<Record<'api' | 'ingest' | 'events', number>>) {
    this.#limiters = {
      api: limiter(limits.api),
      ingest: limiter(limits.ingest),
      side: limiter(limits.ingest),
    };
    this.#events = limiter(limits.events);
  }

  /**
   * Counts the events of a batch, all or none: a batch that is refused takes nothing from what is left. With 0, asks
   * whether anything is left. @throws ProblemException 429
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

  /** Counts one request, and tells the caller what is left. @throws ProblemException 429 when nothing is. */
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

/** So many a minute for each key. */
export const limiterOf = (points: number): RateLimiterAbstract =>
  new RateLimiterMemory({ points, duration: MINUTE_SECONDS });

/** Counts one. @throws ProblemException 429 with the sentence when there were too many */
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
    // The library refuses by throwing the state.
    if (refused instanceof RateLimiterRes) return { allowed: false, state: refused };
    throw refused;
  }
}

function tooMany(response: Response, { msBeforeNext }: RateLimiterRes, detail: string): ProblemException {
  response.setHeader('Retry-After', secondsOf(msBeforeNext));
  return new ProblemException(429, detail);
}

/** No more than a whole period, whatever the wall clock did meanwhile. */
const secondsOf = (milliseconds: number): number =>
  Math.min(MINUTE_SECONDS, Math.max(1, Math.ceil(milliseconds / 1000)));
