import { sql } from 'drizzle-orm';
import type { PgSelect } from 'drizzle-orm/pg-core';
import type { Request, Response } from 'express';
import type { Queries } from '../database/database.js';
import type { Paging } from './schemas.js';

/** Rows that are counted: a longer list says that it has so many. Each of them may cost a look at its row. */
const MOST_COUNTED = 10_000;

/** One page of what a query finds; it has an order, and no limit yet. See `answerPage`. */
export async function readPage<Query extends PgSelect>(
  queries: Pick<Queries, '$count'>,
  query: Query,
  paging: Paging,
  request: Request,
  response: Response,
): Promise<Query['_']['result']> {
  const { limit, page } = paging;
  // One row more than asked for, to know whether there is a next page.
  const rows = (await query.limit(limit + 1).offset((page - 1) * limit)) as Query['_']['result'];
  const isLast = rows.length <= limit && (rows.length > 0 || page === 1);
  const total = isLast
    ? (page - 1) * limit + rows.length
    : await queries.$count(sql`(${query.limit(MOST_COUNTED).offset(0)}) AS counted`);
  return answerPage(rows, total, paging, request, response) as Query['_']['result'];
}

/** One page of rows, with `Link: <…>; rel="next"` while there is more, and `X-Result-Count` of all pages. */
export function answerPage<Row>(
  rows: readonly Row[],
  total: number,
  { limit, page }: Paging,
  request: Request,
  response: Response,
): Row[] {
  response.setHeader('X-Result-Count', Math.min(total, MOST_COUNTED));
  if (rows.length > limit) {
    const next = new URL(request.originalUrl, 'http://localhost');
    next.searchParams.set('page', String(page + 1));
    response.setHeader('Link', `<${next.pathname}${next.search}>; rel="next"`);
  }
  return rows.slice(0, limit);
}
