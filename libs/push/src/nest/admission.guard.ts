import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Admission } from '../admission.js';
import { decisions, readConnectRequest } from './connect-request.js';
import { RefusalException } from './refusal.js';

/** Refuses an SSE stream before any of its headers are out. */
@Injectable()
export class AdmissionGuard implements CanActivate {
  constructor(private readonly admission: Admission) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    const gone = new AbortController();
    // Bound before anything is acquired: whatever is, goes back when the client goes.
    http.getResponse<ServerResponse>().once('close', () => gone.abort());
    const admitted = await this.admission.admit(readConnectRequest(request), gone.signal);
    if ('gone' in admitted) return false;
    if ('refusal' in admitted) throw new RefusalException(admitted.refusal);
    decisions.set(request, { outcome: admitted, gone: gone.signal });
    return true;
  }
}
