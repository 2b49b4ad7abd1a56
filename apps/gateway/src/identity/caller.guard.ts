import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { PUSH_PATH, PUSH_SETTINGS_PATH } from '@crossfade/protocol';
import { forbidden, unauthorized } from '../http/problem.js';
import { RIGHT, type Caller, type CalledRequest, type Right } from './caller.js';
import { Tokens } from './tokens.js';

/** The push library has an admission of its own. */
const OWN_ADMISSION: readonly string[] = [PUSH_PATH, PUSH_SETTINGS_PATH];

/** Reads the bearer token, and lets nobody in whom the route does not allow. */
@Injectable()
export class CallerGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly tokens: Tokens,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const request = context.switchToHttp().getRequest<CalledRequest>();
    if (OWN_ADMISSION.includes(request.path)) return true;
    const right = this.reflector.getAllAndOverride<Right | undefined>(RIGHT, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (right === 'anyone') return true;
    const caller = await this.#callerOf(request);
    const refused = right === undefined ? 'Nobody may call this.' : refusal(right, caller);
    if (refused !== undefined) throw forbidden(refused);
    request.caller = caller;
    return true;
  }

  async #callerOf(request: CalledRequest): Promise<Caller> {
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) throw unauthorized('Send a token: "Authorization: Bearer TOKEN".');
    const caller = await this.tokens.callerOf(token);
    if (caller === undefined) throw unauthorized('The token is unknown, expired or revoked; log in again.');
    return caller;
  }
}

function refusal(right: Exclude<Right, 'anyone'>, caller: Caller): string | undefined {
  switch (right) {
    case 'user':
      return caller.kind === 'user' ? undefined : 'Only people may do this; log in and use that token.';
    case 'administrator':
      return caller.kind === 'user' && caller.isAdministrator
        ? undefined
        : 'Only an administrator may do this.';
    case 'client':
      if (caller.kind === 'user') return undefined;
      return caller.scopes.includes('client') ? undefined : 'The token lacks the scope "client".';
  }
}
