import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { isPushRoute } from '@crossfade/push/nest';
import type { Response } from 'express';
import { networkOf } from '../parsing/address.js';
import type { CalledRequest } from './caller.js';
import { BUDGET, Throttle, type Budget } from './throttle.js';

/** Counts each request against its token, or against its address if it has none. It runs after authentication and before rights. */
@Injectable()
export class ThrottleGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly throttle: Throttle,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http' || isPushRoute(context)) return true;
    const http = context.switchToHttp();
    const { caller, ip } = http.getRequest<CalledRequest>();
    const budget =
      this.reflector.getAllAndOverride<Budget | undefined>(BUDGET, [
        context.getHandler(),
        context.getClass(),
      ]) ?? 'api';
    const key = caller?.tokenId ?? networkOf(ip);
    await this.throttle.count(budget, key, http.getResponse<Response>());
    // The number of events is known once the body is read. Whether any is allowed is known now.
    if (budget === 'ingest') await this.throttle.countEvents(key, 0);
    return true;
  }
}
