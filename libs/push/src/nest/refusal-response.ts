import type { ServerResponse } from 'node:http';
import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { refusalTable } from '@crossfade/protocol';
import type { Refusal } from '../refusal.js';
import { encodeBlock } from '../transports/sse-encoding.js';
import { answerWith, problemAnswer, type HttpAnswer } from './http-answer.js';
import { raw } from './raw.js';

export function toHttp({ reason, detail, retryAfterMs }: Refusal): HttpAnswer {
  const status = refusalTable[reason].http;
  const problem = problemAnswer(status, detail);
  return {
    ...problem,
    headers: {
      ...problem.headers,
      ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
      ...(retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfterMs / 1000)) }),
    },
  };
}

/** `asStream`: the client gives up on an error status, so a stream that ends at once tells it when to come back. */
export class RefusalException extends HttpException {
  constructor(
    readonly refusal: Refusal,
    readonly asStream: boolean,
  ) {
    super(refusal.detail, refusalTable[refusal.reason].http);
  }
}

@Catch(RefusalException)
export class RefusalFilter implements ExceptionFilter<RefusalException> {
  catch({ refusal, asStream }: RefusalException, host: ArgumentsHost): void {
    const response = raw(host.switchToHttp().getResponse<ServerResponse>());
    if (response.headersSent) return void response.destroy();
    if (asStream && refusal.retryAfterMs !== undefined) {
      response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'private, no-cache, no-store, must-revalidate, max-age=0, no-transform',
        'X-Accel-Buffering': 'no',
      });
      return void response.end(encodeBlock({ retry: refusal.retryAfterMs }));
    }
    answerWith(response, toHttp(refusal));
  }
}
