import { applyDecorators, createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import type { Request } from 'express';

/** A person, by a login token. */
export interface UserCaller {
  readonly kind: 'user';
  readonly tokenId: string;
  readonly userId: string;
  readonly isAdministrator: boolean;
  readonly organizationIds: readonly string[];
}

/** A project's ingest token. */
interface ProjectCaller {
  readonly kind: 'project';
  readonly tokenId: string;
  readonly organizationId: string;
  readonly projectId: string;
  readonly scopes: readonly string[];
}

/** Another service. */
export interface ServiceCaller {
  readonly kind: 'service';
  readonly tokenId: string;
  readonly organizationId: string | undefined;
  readonly scopes: readonly string[];
}

export type Caller = UserCaller | ProjectCaller | ServiceCaller;

/**
 * Who may call a route. `anyone` needs no token; `user` a person's; `client` a project's with that scope, or a person's;
 * `administrator` a person's with that role; `publisher` another service's that may publish.
 */
export type Right = 'anyone' | 'user' | 'client' | 'administrator' | 'publisher';

export const RIGHT = 'crossfade:right';
/** Every route says who may call it; one that does not is for nobody. */
export const Allow = (right: Right) =>
  applyDecorators(SetMetadata(RIGHT, right), ApiExtension('x-right', right));

export type CalledRequest = Request & { caller?: Caller };

/** The caller of the route. */
export const Calling = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<CalledRequest>();
  if (caller === undefined) throw new Error('a route that injects its caller must not allow anyone');
  return caller;
});

/** The caller of a route that only people may call. */
export const CallingUser = createParamDecorator((_data: unknown, context: ExecutionContext): UserCaller => {
  const { caller } = context.switchToHttp().getRequest<CalledRequest>();
  if (caller?.kind !== 'user') throw new Error('a route that injects a user must allow only users');
  return caller;
});

/** The caller of a route that only other services may call. */
export const CallingService = createParamDecorator(
  (_data: unknown, context: ExecutionContext): ServiceCaller => {
    const { caller } = context.switchToHttp().getRequest<CalledRequest>();
    if (caller?.kind !== 'service')
      throw new Error('a route that injects a service must allow only services');
    return caller;
  },
);
