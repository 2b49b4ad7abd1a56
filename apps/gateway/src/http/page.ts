import type { Request, Response } from 'express';
import type { Paging } from './schemas.js';

/** Takes one row more than asked for, to know whether there is a next page. */
export const window = ({ limit, page }: Paging): { limit: number; offset: number } => ({
  limit: limit + 1,
  offset: (page - 1) * limit,
});

/** One page of rows, with `Link: <…>; rel="next"` while there is more. */
export function pageOf<Row>(
  rows: readonly Row[],
  { limit, page }: Paging,
  request: Request,
  response: Response,
): Row[] {
  if (rows.length > limit) {
    const next = new URL(request.originalUrl, 'http://localhost');
    next.searchParams.set('page', String(page + 1));
    response.setHeader('Link', `<${next.pathname}${next.search}>; rel="next"`);
  }
  return rows.slice(0, limit);
}
