import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Admission } from '../admission.js';
import type { ResolvedPushOptions } from '../options.js';
import { listenForLeaving, putDecision, readConnectRequest } from './connect-request.js';
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
    const response = raw(http.getResponse<ServerResponse>());
    listenForPipe(response);
    const leaving = listenForLeaving(response);
    const asked = readConnectRequest('sse', request, this.options);
    const admitted = await this.admission.admit(asked, leaving.gone);
    if ('gone' in admitted) return false;
    if ('refusal' in admitted) throw new RefusalException(admitted.refusal, asked.wantsStream);
    putDecision(request, { outcome: admitted, ...leaving });
    return true;
  }
}
