import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { isPushRoute } from '@crossfade/push/nest';
import type { Response } from 'express';
import { unauthorized } from '../http/problem.js';
import { networkOf, Throttle } from '../http/throttle.js';
import { RIGHT, type CalledRequest, type Caller, type Right } from './caller.js';
import { RefusedTokens } from './refused-tokens.js';
import { Tokens } from './tokens.js';

/** Reads the bearer token of every route that needs one. */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  readonly #refused = new RefusedTokens();

  constructor(
    private readonly reflector: Reflector,
    private readonly tokens: Tokens,
    private readonly throttle: Throttle,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    // The push library has an admission of its own, with budgets of its own.
    if (context.getType() !== 'http' || isPushRoute(context)) return true;
    if (this.#rightOf(context) === 'anyone') return true;
    const http = context.switchToHttp();
    const request = http.getRequest<CalledRequest>();
    const token = bearerOf(request.headers.authorization);
    const caller = token === undefined ? undefined : await this.#callerOf(token);
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

  async #callerOf(token: string): Promise<Caller | undefined> {
    if (this.#refused.has(token)) return undefined;
    const caller = await this.tokens.callerOf(token);
    if (caller === undefined) this.#refused.remember(token);
    return caller;
  }

  #rightOf(context: ExecutionContext): Right | undefined {
    return this.reflector.getAllAndOverride<Right | undefined>(RIGHT, [
      context.getHandler(),
      context.getClass(),
    ]);
  }
}

/** Longer ones are none of ours, and are not worth a hash. */
const LONGEST_TOKEN = 500;

/** The token of a header; undefined if there is none that could be ours. */
function bearerOf(header = ''): string | undefined {
  if (!/^bearer /i.test(header)) return undefined;
  const token = header.slice('bearer '.length).trimStart();
  return token === '' || token.length > LONGEST_TOKEN || /\s/.test(token) ? undefined : token;
}
