import type { ServerResponse } from 'node:http';
import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { Observable } from 'rxjs';
import { encodeBlock, type SseBlock } from '../transports/sse.js';

/**
 * Writes blocks to the response itself, as soon as NestJS has sent the headers. NestJS would put the `id` before the
 * `data` (some clients store an id as soon as its line is read, and lose the message if the stream breaks there), and
 * would keep a list of its own between the write queue and the socket. Node joins what is written in one turn.
 * The only place that knows about response internals; the route works without it, too.
 */
@Injectable()
export class FrameWritingInterceptor implements NestInterceptor<SseBlock, never> {
  intercept(context: ExecutionContext, next: CallHandler<SseBlock>): Observable<never> {
    const response = context.switchToHttp().getResponse<ServerResponse>();
    return new Observable((subscriber) => {
      /** What came before the headers were out; undefined once they are. */
      let early: string | undefined = '';
      let ended = false;
      const write = (text: string): void => {
        if (text !== '' && !response.destroyed && !response.writableEnded) response.write(text);
      };
      // NestJS commits the headers in a timer of its own; before that, an exception filter could still answer.
      const begin = (): void => {
        if (response.destroyed) return;
        if (!response.headersSent) return void setImmediate(begin);
        write(early ?? '');
        early = undefined;
        if (ended) subscriber.complete();
      };
      setImmediate(begin);
      return next.handle().subscribe({
        next: (block) => {
          if (early === undefined) write(encodeBlock(block));
          else early += encodeBlock(block);
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => {
          ended = true;
          if (early === undefined) subscriber.complete();
        },
      });
    });
  }
}
