import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Push } from '../push.js';
import { listenForPipe } from './frame-writing.interceptor.js';
import { PUSH } from './injection-tokens.js';
import { raw } from './raw.js';
import { listenForDisconnect, putDecision, readConnectRequest } from './read-request.js';
import { RefusalException } from './refusal-response.js';

/** Refuses an SSE stream before any of its headers are out. */
@Injectable()
export class AdmissionGuard implements CanActivate {
  constructor(@Inject(PUSH) private readonly push: Push) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = raw(http.getRequest<IncomingMessage>());
    const response = raw(http.getResponse<ServerResponse>());
    listenForPipe(response);
    const disconnect = listenForDisconnect(response);
    const { admission, resolved } = this.push.parts;
    const asked = readConnectRequest('sse', request, resolved);
    const outcome = await admission.admit(asked, disconnect.signal);
    switch (outcome.outcome) {
      case 'admitted':
        putDecision(request, { outcome, ...disconnect });
        return true;
      case 'refused':
        throw new RefusalException(outcome.refusal, asked.wantsStream);
      case 'disconnected':
        return false;
    }
  }
}
