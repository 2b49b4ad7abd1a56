import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { DiskFull } from '../database/disk-space.js';
import { FOREIGN_KEY_VIOLATION, isUnavailable, QueryError } from '../database/query-error.js';
import { FaultLog } from '../process/fault-log.js';
import { problemOf, ProblemException, type Problem } from './problem.js';

const AWAY = 'The database is not available at the moment. Try again later.';
const PERHAPS =
  'The connection to the database was lost while it stored this, so it may or may not have been stored; check before you try again.';
const FULL =
  "The gateway's disk is nearly full, so nothing can be stored; reading goes on. Try again when its operator has made room.";

/** The route and not the path, which may contain an address or a name. */
const routeOf = ({ route }: Request): string => (route as { path?: string } | undefined)?.path ?? 'no route';

/** Seconds, at random, so that not all clients come back at once. */
const retryAfter = (): number => 2 + Math.floor(Math.random() * 4);

/** Sends every error as problem+json. An unexpected one is logged, and its response reveals no internals. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #faults = new FaultLog('Http');

  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const response = http.getResponse<Response>();
    const problem = this.#problemOf(exception, http.getRequest<Request>());
    if (response.headersSent) return void response.destroy();
    const retryAfterSeconds = exception instanceof ProblemException ? exception.retryAfterSeconds : undefined;
    if (retryAfterSeconds !== undefined || problem.status === 503)
      response.setHeader('Retry-After', retryAfterSeconds ?? retryAfter());
    if (problem.status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }

  #problemOf(exception: unknown, request: Request): Problem {
    if (exception instanceof ProblemException) {
      return problemOf(exception.getStatus(), exception.message, exception.errors);
    }
    if (exception instanceof HttpException) {
      const status = exception.getStatus();
      if (status === 404) return problemOf(404, `There is no ${request.method} ${request.path}.`);
      return problemOf(status, exception.message);
    }
    if (exception instanceof DiskFull) return problemOf(507, FULL);
    if (exception instanceof QueryError && exception.code === FOREIGN_KEY_VIOLATION)
      return problemOf(404, 'Something that this belongs to was deleted in the meantime.');
    if (isUnavailable(exception)) {
      this.#faults.failure(exception, 'asking the database');
      const isUnknown = exception instanceof QueryError && exception.outcome === 'unknown';
      return problemOf(503, isUnknown ? PERHAPS : AWAY);
    }
    this.#faults.failure(exception, `answering ${request.method} ${routeOf(request)}`);
    return problemOf(500, 'Something went wrong on our side; the error was logged.');
  }
}
