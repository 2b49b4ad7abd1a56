import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Admission } from '../admission.js';
import type { ResolvedPushOptions } from '../options.js';
import { decisions, readConnectRequest } from './connect-request.js';
import { listenForPipe } from './frame-writing.interceptor.js';
import { PUSH_OPTIONS } from './options.token.js';
import { raw } from './raw.js';
import { RefusalException } from './refusal.js';

/** Refuses an SSE stream before any of its headers are out. */
@Injectable()
export class AdmissionGuard implements CanActivate {
  constructor(
    private readonly admission: Admission,
    @Inject(PUSH_OPTIONS) private readonly options: ResolvedPushOptions,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = raw(http.getRequest<IncomingMessage>());
    const gone = new AbortController();
    // Bound before anything is acquired: whatever is, goes back when the client goes.
    const response = raw(http.getResponse<ServerResponse>());
    listenForPipe(response);
    const abort = (): void => gone.abort();
    response.once('close', abort);
    const asked = readConnectRequest('sse', request, this.options);
    const admitted = await this.admission.admit(asked, gone.signal);
    if ('gone' in admitted) return false;
    if ('refusal' in admitted) throw new RefusalException(admitted.refusal, asked.wantsStream);
    decisions.set(request, {
      outcome: admitted,
      gone: gone.signal,
      forget: () => {
        decisions.delete(request);
        response.off('close', abort);
      },
    });
    return true;
  }
}
