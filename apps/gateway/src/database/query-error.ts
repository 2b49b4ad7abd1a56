import { DeadlineError } from '@crossfade/push';
import { LoggableError } from '../process/loggable-error.js';

/** Characters of the statement in an error's message. */
const MOST = 500;
/** The form of SQLSTATE. After any error without one, a connection is not used again. */
const SQL_STATE = /^[0-9A-Z]{5}$/;

/** A reference to a row that does not exist, or no longer. */
export const FOREIGN_KEY_VIOLATION = '23503';

/** What a failed query did. `unknown`: the connection was lost while PostgreSQL committed. */
export type Outcome = 'nothing was done' | 'unknown';

/**
 * A failed query, safe to log: the statement without its values, and the code. The database's own message repeats values
 * (`Key (email)=(…) already exists`), so it does not leave this folder, and neither does the original error as a cause.
 */
export class QueryError extends LoggableError {
  override readonly name = 'QueryError';

  constructor(
    statement: string,
    /** PostgreSQL's SQLSTATE, or the system's or the pool's own code where there is none. */
    readonly code: string,
    /** The database was unreachable or too busy: the same request may succeed later. */
    readonly isUnavailable: boolean,
    readonly outcome: Outcome = 'nothing was done',
  ) {
    const line = statement
      .slice(0, 2 * MOST)
      .replace(/\s+/g, ' ')
      .trim();
    super(`${code}: ${line.length > MOST ? `${line.slice(0, MOST)}…` : line}`);
  }
}

/** No connection was available: refused, not answered, or all in use for too long. */
export class NoConnection extends Error {
  override readonly name = 'NoConnection';
  readonly code: string;

  constructor(cause: unknown) {
    super('there was no connection to the database');
    const { code } = firstOf(cause);
    this.code = typeof code === 'string' ? code : 'NO_CONNECTION';
  }
}

/** Whether the database was unavailable, so that a retry may succeed. */
export const isUnavailable = (error: unknown): error is QueryError | DeadlineError =>
  (error instanceof QueryError && error.isUnavailable) || error instanceof DeadlineError;

/** Converts what PostgreSQL, its driver or the embedded database threw to an error without values. */
export function queryError(statement: string, error: unknown, outcome?: Outcome): QueryError {
  if (error instanceof QueryError) return error;
  const { code, severity } = firstOf(error);
  if (typeof code === 'string' && typeof severity === 'string')
    return new QueryError(statement, code, mayPass(code), outcome);
  const own = typeof code === 'string' ? code : error instanceof Error ? error.name : 'Error';
  return new QueryError(statement, own, !isFaultOfOurs(error), outcome);
}

/** Whether the server itself refused the statement, so that its connection is still good. */
export function isRefusal(error: unknown): boolean {
  const { code, severity } = firstOf(error);
  return typeof code === 'string' && SQL_STATE.test(code) && severity === 'ERROR';
}

/**
 * By SQLSTATE (PostgreSQL's manual, appendix A): connection errors, conflicts between transactions, resources, a server
 * that stops or starts, canceled statements, lock timeouts, transactions that idled too long, and a read-only server, as
 * a replica is before it is promoted.
 */
const mayPass = (code: string): boolean =>
  /^(08|53|57P0|58)/.test(code) ||
  ['25006', '25P03', '25P04', '40001', '40P01', '55P03', '57014'].includes(code);

/** The driver's errors that are not a lost connection: a value that it cannot write, a result that it cannot read. */
const isFaultOfOurs = (error: unknown): boolean =>
  error instanceof TypeError ||
  error instanceof RangeError ||
  error instanceof SyntaxError ||
  // WebAssembly throws this when the embedded database crashes.
  (error instanceof Error && error.name === 'RuntimeError');

/** A connection attempt at several addresses has an error for each. */
function firstOf(error: unknown): { code?: unknown; severity?: unknown } {
  const one: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return typeof one === 'object' && one !== null ? one : {};
}
