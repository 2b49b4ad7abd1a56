import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import { memoryLimiter, type Count, type Limiter, type MakeLimiter } from '@crossfade/push';
import type { Response } from 'express';
import { ProblemException } from '../http/problem.js';

/** The budget that a request counts against. `side`: what client libraries send beside events; `none`: not throttled. */
export type Budget = 'api' | 'ingest' | 'side' | 'none';

export const BUDGET = 'crossfade:budget';
/** Sets the budget of a route; without it, a route counts against `api`. */
export const CountsAgainst = (budget: Budget) =>
  applyDecorators(SetMetadata(BUDGET, budget), ApiExtension('x-throttle', budget));

const MINUTE_SECONDS = 60;

/** Limits each caller's requests a minute, of all replicas together where they share a Redis. */
export class Throttle {
  readonly #limiters: Readonly<Record<Exclude<Budget, 'none'>, Limiter | undefined>>;
  readonly #events: Limiter | undefined;

  /** Limits of requests a minute, and of `events` a minute; 0: no limit. */
  constructor(limits: Readonly<Record<'api' | 'ingest' | 'events', number>>, limiter: MakeLimiter) {
    const make = (name: string, points: number) =>
      points === 0 ? undefined : limiter(name, points, MINUTE_SECONDS);
    this.#limiters = {
      api: make('api', limits.api),
      ingest: make('ingest', limits.ingest),
      side: make('side', limits.ingest),
    };
    this.#events = make('events', limits.events);
  }

  /**
   * Counts the events of a batch, all or none: a refused batch takes nothing from the budget. With 0, only checks that
   * something is left. @throws ProblemException 429
   */
  async countEvents(caller: string, events: number): Promise<void> {
    const limiter = this.#events;
    if (limiter === undefined) return;
    const { fits, msBeforeNext } = await (events === 0
      ? limiter.look(caller)
      : limiter.count(caller, events));
    if (fits) return;
    throw new ProblemException(
      429,
      `You may send ${limiter.points} events a minute; slow down and try again${events > limiter.points ? ', with fewer at once' : ''}.`,
      undefined,
      secondsOf(msBeforeNext),
    );
  }

  /** Counts one request, and sets the headers that say what is left. @throws ProblemException 429 when nothing is left */
  async count(budget: Budget, caller: string, response: Response): Promise<void> {
    const limiter = budget === 'none' ? undefined : this.#limiters[budget];
    if (limiter === undefined) return;
    const count = await limiter.count(caller);
    response.setHeader('X-RateLimit-Limit', limiter.points);
    response.setHeader('X-RateLimit-Remaining', count.left);
    response.setHeader('X-RateLimit-Reset', Math.ceil((Date.now() + count.msBeforeNext) / 1000));
    if (!count.fits) {
      throw tooMany(
        response,
        count,
        `You may send ${limiter.points} requests a minute; slow down and try again.`,
      );
    }
  }
}

/** A limiter of this process alone, of `points` a minute for each key. */
export const limiterOf = (points: number): Limiter => memoryLimiter('own', points, MINUTE_SECONDS);

/** Counts one. @throws ProblemException 429 with `sentence` when there were too many */
export async function countWithin(
  limiter: Limiter,
  key: string,
  response: Response,
  sentence: string,
): Promise<void> {
  const count = await limiter.count(key);
  if (!count.fits) throw tooMany(response, count, sentence);
}

function tooMany(response: Response, { msBeforeNext }: Count, detail: string): ProblemException {
  response.setHeader('Retry-After', secondsOf(msBeforeNext));
  return new ProblemException(429, detail);
}

const secondsOf = (milliseconds: number): number => Math.max(1, Math.ceil(milliseconds / 1000));
