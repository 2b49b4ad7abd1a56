import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { isPushRoute } from '@crossfade/push/nest';
import { forbidden } from '../http/problem.js';
import { RIGHT, type Caller, type CalledRequest, type Right } from './caller.js';

/** Refuses callers whom the route does not allow. */
@Injectable()
export class RightGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http' || isPushRoute(context)) return true;
    const { caller } = context.switchToHttp().getRequest<CalledRequest>();
    const right = this.reflector.getAllAndOverride<Right | undefined>(RIGHT, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (right === 'anyone') return true;
    const refused =
      right === undefined || caller === undefined ? 'Nobody may call this route.' : refusal(right, caller);
    if (refused !== undefined) throw forbidden(refused);
    return true;
  }
}

function refusal(right: Exclude<Right, 'anyone'>, caller: Caller): string | undefined {
  switch (right) {
    case 'user':
      return caller.kind === 'user' ? undefined : 'Only users may do this; log in and use that token.';
    case 'administrator':
      return caller.kind === 'user' && caller.isAdministrator
        ? undefined
        : 'Only an administrator may do this.';
    case 'publisher':
      return caller.kind === 'service' && caller.scopes.includes('push:publish')
        ? undefined
        : 'Only a service may do this, with a token that has the scope "push:publish".';
    case 'client':
      if (caller.kind === 'user') return undefined;
      return caller.scopes.includes('client') ? undefined : 'The token lacks the scope "client".';
  }
}
