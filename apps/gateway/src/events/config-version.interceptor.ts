import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { Response } from 'express';
import type { Observable } from 'rxjs';

/** Client libraries fetch their project's settings again when this grows. No project has settings yet. */
export const CONFIG_VERSION = 1;

/** Every answer to a client library carries the version of its settings. */
@Injectable()
export class ConfigVersionInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const response = context.switchToHttp().getResponse<Response>();
    response.setHeader('X-Exceptionless-ConfigVersion', CONFIG_VERSION);
    return next.handle();
  }
}
