import { Injectable } from '@nestjs/common';
import type { Authentication, Authenticator, Principal } from '@crossfade/push';
import type { Caller } from './caller.js';
import { Tokens } from './tokens.js';

/** Decides who may open a stream: users, and project tokens with the scope `push:subscribe`. */
@Injectable()
export class GatewayAuthenticator implements Authenticator {
  constructor(private readonly tokens: Tokens) {}

  async authenticate(credential: string): Promise<Authentication> {
    const caller = await this.tokens.callerOf(credential);
    if (caller === undefined) {
      return { outcome: 'unauthorized', detail: 'The token is unknown, expired or revoked; log in again.' };
    }
    const principal = principalOf(caller);
    return principal === undefined
      ? { outcome: 'forbidden', detail: 'The token lacks the scope "push:subscribe".' }
      : { outcome: 'authenticated', principal };
  }

  async reauthorize(principals: readonly Principal[]): Promise<readonly (Principal | undefined)[]> {
    const callers = await this.tokens.callersById(principals.map(({ tokenId }) => tokenId));
    return principals.map(({ tokenId }) => {
      const caller = callers.get(tokenId);
      return caller === undefined ? undefined : principalOf(caller);
    });
  }
}

function principalOf(caller: Caller): Principal | undefined {
  switch (caller.kind) {
    case 'user':
      return {
        userId: caller.userId,
        tokenId: caller.tokenId,
        organizationIds: new Set(caller.organizationIds),
      };
    case 'project':
      return caller.scopes.includes('push:subscribe')
        ? {
            tokenId: caller.tokenId,
            tenantId: caller.organizationId,
            organizationIds: new Set([caller.organizationId]),
          }
        : undefined;
    case 'service':
      return undefined;
  }
}
