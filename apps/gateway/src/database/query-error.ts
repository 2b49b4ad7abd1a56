import { DeadlineError } from '@crossfade/push';
import { LoggableError } from '../process/loggable-error.js';

/** How many characters of a statement an error tells. */
const MOST = 500;
/** An answer of the server that the connection survives; after any other error it is not used again. */
const SQL_STATE = /^[0-9A-Z]{5}$/;

/** Something refers to a row that is not there, or not any more. */
export const FOREIGN_KEY_VIOLATION = '23503';

/** What became of the work of a query that failed. `unknown`: the connection was lost while PostgreSQL committed it. */
export type Outcome = 'nothing was done' | 'unknown';

/**
 * A query that failed, as anybody may log it: the statement, whose values stand apart from it, and the code. What the
 * database itself says of an error repeats values (`Key (email)=(…) already exists`), so it does not leave this folder,
 * and neither does the error as a cause.
 */
export class QueryError extends LoggableError {
  override readonly name = 'QueryError';

  constructor(
    statement: string,
    /** PostgreSQL's SQLSTATE, or the system's or the pool's own code where there is none. */
    readonly code: string,
    /** The database could not be asked, or had no time: the same request may succeed later. */
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

/** No connection could be had: refused, not answered, or all of them were in use for too long. */
export class NoConnection extends Error {
  override readonly name = 'NoConnection';
  readonly code: string;

  constructor(cause: unknown) {
    super('there was no connection to the database');
    const { code } = firstOf(cause);
    this.code = typeof code === 'string' ? code : 'NO_CONNECTION';
  }
}

/** Whether the database could not be asked: whoever asked may try again. */
export const isUnavailable = (error: unknown): error is QueryError | DeadlineError =>
  (error instanceof QueryError && error.isUnavailable) || error instanceof DeadlineError;

/** What PostgreSQL, its driver or the embedded database threw, without what it may repeat. */
export function queryError(statement: string, error: unknown, outcome?: Outcome): QueryError {
  if (error instanceof QueryError) return error;
  const { code, severity } = firstOf(error);
  if (typeof code === 'string' && typeof severity === 'string')
    return new QueryError(statement, code, mayPass(code), outcome);
  const own = typeof code === 'string' ? code : error instanceof Error ? error.name : 'Error';
  return new QueryError(statement, own, !isFaultOfOurs(error), outcome);
}

/** Whether the server itself refused the statement, so that its connection is as good as before. */
export function isRefusal(error: unknown): boolean {
  const { code, severity } = firstOf(error);
  return typeof code === 'string' && SQL_STATE.test(code) && severity === 'ERROR';
}

/**
 * By SQLSTATE (PostgreSQL's manual, appendix A): connections, transactions in each other's way, resources, a server that
 * ends or starts, cancelled statements, locks that were not had in time, transactions that idled too long, and a server
 * that may only be read, as a replica is before it is promoted.
 */
const mayPass = (code: string): boolean =>
  /^(08|53|57P0|58)/.test(code) ||
  ['25006', '25P03', '25P04', '40001', '40P01', '55P03', '57014'].includes(code);

/** The driver's own errors that are no lost connection: a value that it cannot write, an answer that it cannot read. */
const isFaultOfOurs = (error: unknown): boolean =>
  error instanceof TypeError ||
  error instanceof RangeError ||
  error instanceof SyntaxError ||
  // What WebAssembly throws when the embedded database gives up.
  (error instanceof Error && error.name === 'RuntimeError');

/** A connection that was tried at several addresses has an error for each. */
function firstOf(error: unknown): { code?: unknown; severity?: unknown } {
  const one: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return typeof one === 'object' && one !== null ? one : {};
}
