import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { isPushRoute } from '@crossfade/push/nest';
import compression from 'compression';
import type { Request, RequestHandler, Response } from 'express';
import type { Observable } from 'rxjs';

/** For what no controller answers: files, pages and the API's description. */
export const compress: RequestHandler = compression();

/** Compresses what controllers answer, and stays away from the stream: there it would hold messages back. */
@Injectable()
export class CompressionInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() === 'http' && !isPushRoute(context)) {
      const http = context.switchToHttp();
      compress(http.getRequest<Request>(), http.getResponse<Response>(), () => undefined);
    }
    return next.handle();
  }
}
