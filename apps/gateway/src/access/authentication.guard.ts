import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { isPushRoute } from '@crossfade/push/nest';
import type { Response } from 'express';
import { unauthorized } from '../http/problem.js';
import { networkOf } from '../parsing/address.js';
import { RIGHT, type CalledRequest, type Caller, type Right } from './caller.js';
import { credentialOf, type Credential } from './credential.js';
import { RefusedTokens } from './refused-tokens.js';
import { Throttle } from './throttle.js';
import { Tokens } from './tokens.js';

/** Authenticates the caller of every route that needs a token. */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  readonly #refused = new RefusedTokens();

  constructor(
    private readonly reflector: Reflector,
    private readonly tokens: Tokens,
    private readonly throttle: Throttle,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    // The push library admits streams itself, with budgets of its own.
    if (context.getType() !== 'http' || isPushRoute(context)) return true;
    const right = this.#rightOf(context);
    if (right === 'anyone') return true;
    const http = context.switchToHttp();
    const request = http.getRequest<CalledRequest>();
    const credential = credentialOf(request, right === 'client');
    const caller = credential === undefined ? undefined : await this.#callerOf(credential.token);
    if (caller === undefined || !maySendSo(credential, caller)) {
      await this.throttle.count('api', `refused ${networkOf(request.ip)}`, http.getResponse<Response>());
      throw unauthorized(refusal(credential, caller));
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

/** Old client libraries send the token in places that are not secret, such as a URL. Only a project's token may be sent so. */
const maySendSo = (credential: Credential | undefined, caller: Caller): boolean =>
  credential?.isOld !== true || caller.kind === 'project';

function refusal(credential: Credential | undefined, caller: Caller | undefined): string {
  if (credential === undefined) return 'Send a token: "Authorization: Bearer TOKEN".';
  return caller === undefined
    ? 'The token is unknown, expired or revoked; log in again.'
    : 'Only the token of a project may be sent in this way; send "Authorization: Bearer TOKEN".';
}
