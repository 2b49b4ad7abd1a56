import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
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
    const known = bodyProblem(exception);
    if (known !== undefined) return known;
    this.#logger.error(
      exception instanceof Error ? (exception.stack ?? exception.message) : String(exception),
    );
    return problemOf(500, 'Something went wrong on our side; the error was logged.');
  }
}

/** What Express' body parser throws. */
function bodyProblem(exception: unknown): Problem | undefined {
  if (!(exception instanceof Error) || !('type' in exception) || !('status' in exception)) return undefined;
  switch (exception.type) {
    case 'entity.parse.failed':
      return problemOf(400, 'The body is not valid JSON; send a JSON object or array.', [
        { path: '', message: 'not valid JSON' },
      ]);
    case 'entity.too.large':
      return problemOf(
        413,
        'The body is too large: events may take 5 MiB, published messages 2 MiB, everything else 256 KiB.',
      );
    case 'charset.unsupported':
    case 'encoding.unsupported':
      return problemOf(415, 'Send JSON in UTF-8, plain or compressed by gzip or deflate.');
    case 'request.aborted':
    case 'request.size.invalid':
      return problemOf(400, 'The body ended before its announced length.');
    default:
      return undefined;
  }
}
