import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { sql } from 'drizzle-orm';
import type { PgSelect } from 'drizzle-orm/pg-core';
import type { Request, Response } from 'express';
import { map, type Observable } from 'rxjs';
import { z } from 'zod';
import type { Queries } from '../database/database.js';

/**
 * Reads a number of a list route. A number out of range is clamped rather than refused: existing clients ask for a
 * thousand rows, and for page 0.
 */
const clamped = (most: number, tooSmall: number, fallback: number) => {
  const wanted = `must be a whole number, and counts as ${most} at most`;
  return z.coerce
    .number(wanted)
    .refine(Number.isInteger, wanted)
    .transform((given) => (given < 1 ? tooSmall : Math.min(given, most)))
    .default(fallback);
};

const ROWS = 20;
const MOST_ROWS = 100;
/** `limit` and `page` of every list route. */
export const paging = z.object({ limit: clamped(MOST_ROWS, ROWS, ROWS), page: clamped(1_000_000, 1, 1) });
export type Paging = z.output<typeof paging>;

/** Rows that are counted at most, since counting one may cost a look at it; a longer list reports this many. */
const MOST_COUNTED = 10_000;

/** One page of a list. A route that `Answers` with a list returns it; `PageInterceptor` sends it. */
export class Page<Row> {
  private constructor(
    readonly rows: readonly Row[],
    readonly total: number,
    /** The number of the next page, if there is one. */
    readonly next: number | undefined,
  ) {}

  /** Reads one page of a query, which has an order and no limit yet. */
  static async read<Query extends PgSelect>(
    queries: Pick<Queries, '$count'>,
    query: Query,
    paging: Paging,
  ): Promise<Page<Query['_']['result'][number]>> {
    const { limit, page } = paging;
    // One more row than asked for tells whether there is a next page.
    const rows = (await query.limit(limit + 1).offset((page - 1) * limit)) as Query['_']['result'];
    const isLast = rows.length <= limit && (rows.length > 0 || page === 1);
    const total = isLast
      ? (page - 1) * limit + rows.length
      : await queries.$count(sql`(${query.limit(MOST_COUNTED).offset(0)}) AS counted`);
    return Page.#of(rows, total, paging);
  }

  /** Cuts one page out of a list in memory. */
  static cut<Row>(list: readonly Row[], paging: Paging): Page<Row> {
    return Page.#of(list.slice((paging.page - 1) * paging.limit), list.length, paging);
  }

  static #of<Row>(rows: readonly Row[], total: number, { limit, page }: Paging): Page<Row> {
    const next = rows.length > limit ? page + 1 : undefined;
    return new Page(rows.slice(0, limit), Math.min(total, MOST_COUNTED), next);
  }

  /** The same page of a list that is longer than what was cut. */
  counting(total: number): Page<Row> {
    return new Page(this.rows, Math.min(total, MOST_COUNTED), this.next);
  }

  map<View>(view: (row: Row) => View): Page<View> {
    return this.with(this.rows.map(view));
  }

  /** The same page, with other views of its rows. */
  with<View>(views: readonly View[]): Page<View> {
    return new Page(views, this.total, this.next);
  }
}

/** Sends a page: its rows as the body, `X-Result-Count`, and `Link: <…>; rel="next"` while there is a next page. */
@Injectable()
export class PageInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    return next.handle().pipe(
      map((page: unknown) => {
        if (!(page instanceof Page)) throw new TypeError('a list route must return a page');
        response.setHeader('X-Result-Count', page.total);
        if (page.next !== undefined) response.setHeader('Link', linkToPage(request, page.next));
        return page.rows;
      }),
    );
  }
}

function linkToPage(request: Request, page: number): string {
  const next = new URL(request.originalUrl, 'http://localhost');
  next.searchParams.set('page', String(page));
  return `<${next.pathname}${next.search}>; rel="next"`;
}
