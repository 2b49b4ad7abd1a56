import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { isPushRoute } from '@crossfade/push/nest';
import compression from 'compression';
import type { Request, RequestHandler, Response } from 'express';
import type { Observable } from 'rxjs';

/** Compresses what no controller serves: files, pages and the API's description. */
export const compress: RequestHandler = compression();

/** Compresses the responses of controllers, but not streams, where it would delay messages. */
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
