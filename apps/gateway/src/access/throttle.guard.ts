import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { isPushRoute } from '@crossfade/push/nest';
import type { Response } from 'express';
import type { CalledRequest } from './caller.js';
import { networkOf } from '../parsing/address.js';
import { BUDGET, Throttle, type Budget } from './throttle.js';

/** Counts each request against its token, or its address where it needs none. After authentication, before rights. */
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
    // How many there are is known when the body has been read; whether any may come, before.
    if (budget === 'ingest') await this.throttle.countEvents(key, 0);
    return true;
  }
}
