import type { Authentication, Authenticator } from '@crossfade/push';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { z } from 'zod';

export interface JwtSettings {
  /** Where the identity provider publishes its keys. */
  readonly jwksUrl: string;
  readonly issuer: string;
  readonly audience: string;
}

/** The claims that we need. `shops`: the shops that this person works for. */
const claims = z.object({
  sub: z.string(),
  jti: z.string(),
  exp: z.number(),
  shops: z.array(z.string()).default([]),
});

/**
 * Whose a JSON Web Token (RFC 7519) is, by the keys of its issuer. Nobody can be asked about it again, so there is no
 * `reauthorize`: its streams end when it expires.
 */
export class JwtAuthenticator implements Authenticator {
  readonly #keys: ReturnType<typeof createRemoteJWKSet>;

  constructor(private readonly settings: JwtSettings) {
    this.#keys = createRemoteJWKSet(new URL(settings.jwksUrl));
  }

  async authenticate(token: string): Promise<Authentication> {
    try {
      const { issuer, audience } = this.settings;
      const { payload } = await jwtVerify(token, this.#keys, { issuer, audience });
      const { sub, jti, exp, shops } = claims.parse(payload);
      const principal = { userId: sub, tokenId: jti, organizationIds: new Set(shops), expiresAt: exp * 1000 };
      return { outcome: 'authenticated', principal };
    } catch (error) {
      if (!isTheTokens(error)) throw error;
      return {
        outcome: 'unauthorized',
        detail: 'The token is not one that our identity provider has issued for this.',
      };
    }
  }
}

/** Whether the token is at fault. If not, the keys could not be fetched, and the client may come back. */
const isTheTokens = (error: unknown): boolean =>
  error instanceof z.ZodError || (error instanceof errors.JOSEError && FAULTS.test(error.code));

const FAULTS = /^ERR_(JWT|JWS)_|^ERR_JWKS_NO_MATCHING_KEY$|^ERR_JOSE_(ALG_NOT_ALLOWED|NOT_SUPPORTED)$/;
