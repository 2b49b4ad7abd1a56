import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { FOREIGN_KEY_VIOLATION, sqlStateOf } from '../database/sql-state.js';
import { problemOf, ProblemException, type Problem } from './problem.js';

/** Every error leaves as problem+json. What we did not foresee is logged, and says nothing of the inside. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('Http');

  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const response = http.getResponse<Response>();
    const problem = this.#problemOf(exception, http.getRequest<Request>());
    if (response.headersSent) return void response.destroy();
    if (exception instanceof ProblemException && exception.retryAfterSeconds !== undefined)
      response.setHeader('Retry-After', exception.retryAfterSeconds);
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
    if (sqlStateOf(exception) === FOREIGN_KEY_VIOLATION)
      return problemOf(404, 'Something that this belongs to was deleted meanwhile.');
    this.#logger.error(
      exception instanceof Error ? (exception.stack ?? exception.message) : String(exception),
    );
    return problemOf(500, 'Something went wrong on our side; the error was logged.');
  }
}
