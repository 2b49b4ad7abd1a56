import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Response } from 'express';
import { unauthorized } from '../http/problem.js';
import { networkOf, Throttle } from '../http/throttle.js';
import { OWN_ADMISSION, RIGHT, type CalledRequest, type Right } from './caller.js';
import { Tokens } from './tokens.js';

/** Reads the bearer token of every route that needs one. */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly tokens: Tokens,
    private readonly throttle: Throttle,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const http = context.switchToHttp();
    const request = http.getRequest<CalledRequest>();
    if (OWN_ADMISSION.includes(request.path) || this.#rightOf(context) === 'anyone') return true;
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const caller = token === undefined ? undefined : await this.tokens.callerOf(token);
    if (caller === undefined) {
      await this.throttle.count('api', `refused ${networkOf(request.ip)}`, http.getResponse<Response>());
      throw unauthorized(
        token === undefined
          ? 'Send a token: "Authorization: Bearer TOKEN".'
          : 'The token is unknown, expired or revoked; log in again.',
      );
    }
    request.caller = caller;
    return true;
  }

  #rightOf(context: ExecutionContext): Right | undefined {
    return this.reflector.getAllAndOverride<Right | undefined>(RIGHT, [
      context.getHandler(),
      context.getClass(),
    ]);
  }
}
