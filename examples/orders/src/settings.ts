import { z } from 'zod';
import type { JwtSettings } from './jwt-authenticator.js';

const environment = z.object({
  JWKS_URL: z.url('must be the URL where the identity provider publishes its keys'),
  JWT_ISSUER: z.string('must be who issues the tokens'),
  JWT_AUDIENCE: z.string().default('orders'),
});

/** @throws Error with a sentence that names the missing settings */
export function readSettings(env: NodeJS.ProcessEnv): JwtSettings {
  const { data, error } = environment.safeParse(env);
  if (data === undefined) {
    const faults = error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
    throw new Error(`The settings are not valid: ${faults.join('; ')}.`);
  }
  return { jwksUrl: data.JWKS_URL, issuer: data.JWT_ISSUER, audience: data.JWT_AUDIENCE };
}
