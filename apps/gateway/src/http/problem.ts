import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';
import { z } from 'zod';

const fault = z.object({ path: z.string(), message: z.string() });
export type Fault = z.infer<typeof fault>;

/** RFC 9457. `errors` says what in the input was not valid. */
export const problem = z.object({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  errors: z.array(fault).readonly().optional(),
});
export type Problem = z.infer<typeof problem>;

export function problemOf(status: number, detail: string, errors?: readonly Fault[]): Problem {
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    ...(errors === undefined ? {} : { errors }),
  };
}

/** Refuses a request. `detail` is a sentence that says what was wrong and, where it helps, what to do instead. */
export class ProblemException extends HttpException {
  constructor(
    status: number,
    detail: string,
    readonly errors?: readonly Fault[],
    readonly retryAfterSeconds?: number,
  ) {
    super(detail, status);
  }
}

/** Without a path, the fault is the whole body's. */
const sentenceOf = ({ path, message }: Fault): string =>
  path === '' ? `The body ${message}` : `${path}: ${message}`;

export const invalid = (errors: readonly Fault[]): ProblemException =>
  new ProblemException(400, errors.map(sentenceOf).join('; '), errors);
export const unauthorized = (detail: string): ProblemException => new ProblemException(401, detail);
export const forbidden = (detail: string): ProblemException => new ProblemException(403, detail);
/** Also for what the caller may not see: the two must look the same. */
export const notFound = (what: string): ProblemException =>
  new ProblemException(404, `There is no such ${what}.`);
export const conflict = (detail: string): ProblemException => new ProblemException(409, detail);
