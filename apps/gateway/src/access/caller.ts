import { applyDecorators, createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import type { Request } from 'express';

/** A user, by a login token. */
export interface UserCaller {
  readonly kind: 'user';
  readonly tokenId: string;
  readonly userId: string;
  readonly isAdministrator: boolean;
  readonly organizationIds: readonly string[];
}

/** A project, by its ingest token. */
interface ProjectCaller {
  readonly kind: 'project';
  readonly tokenId: string;
  readonly organizationId: string;
  readonly projectId: string;
  readonly scopes: readonly string[];
}

/** Another service, by its token. */
export interface ServiceCaller {
  readonly kind: 'service';
  readonly tokenId: string;
  readonly organizationId: string | undefined;
  readonly scopes: readonly string[];
}

export type Caller = UserCaller | ProjectCaller | ServiceCaller;

/**
 * Who may call a route. `anyone`: no token is needed; `user`: a user; `client`: a project whose token has that scope, or a
 * user; `administrator`: a user with that role; `publisher`: a service whose token has the scope `push:publish`.
 */
export type Right = 'anyone' | 'user' | 'client' | 'administrator' | 'publisher';

export const RIGHT = 'crossfade:right';
/** Says who may call a route. Nobody may call a route that does not say it. */
export const Allow = (right: Right) =>
  applyDecorators(SetMetadata(RIGHT, right), ApiExtension('x-right', right));

export type CalledRequest = Request & { caller?: Caller };

/** Injects the caller of the route. */
export const Calling = createParamDecorator((_data: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<CalledRequest>();
  if (caller === undefined) throw new Error('a route that injects its caller must not allow anyone');
  return caller;
});

/** Injects the caller of a route that only users may call. */
export const CallingUser = createParamDecorator((_data: unknown, context: ExecutionContext): UserCaller => {
  const { caller } = context.switchToHttp().getRequest<CalledRequest>();
  if (caller?.kind !== 'user') throw new Error('a route that injects a user must allow only users');
  return caller;
});

/** Injects the caller of a route that only services may call. */
export const CallingService = createParamDecorator(
  (_data: unknown, context: ExecutionContext): ServiceCaller => {
    const { caller } = context.switchToHttp().getRequest<CalledRequest>();
    if (caller?.kind !== 'service')
      throw new Error('a route that injects a service must allow only services');
    return caller;
  },
);
