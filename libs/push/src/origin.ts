/**
 * Whether a page of this origin is the server's own, by the `Host` header of the request: the same name in any case, and
 * the same port, which either may leave out where it is the scheme's default. Behind a proxy that ends TLS, nobody knows
 * which scheme the client used, so the origin's is taken.
 */
export function isOwnOrigin(origin: string, host: string | undefined): boolean {
  const own = read(origin);
  if (own === undefined || host === undefined || MORE_THAN_A_HOST.test(host)) return false;
  return read(`${own.protocol}//${host}`)?.host === own.host;
}

/** Whether an origin is one of those that are allowed, by scheme, name and effective port. */
export function isAllowedOrigin(origin: string, allowed: readonly string[]): boolean {
  const written = canonical(origin);
  return allowed.some((one) => canonical(one) === written);
}

const MORE_THAN_A_HOST = /[\s/\\?#@]/;

function read(origin: string): URL | undefined {
  return /^https?:/i.test(origin) && URL.canParse(origin) ? new URL(origin) : undefined;
}

/** As browsers write it. An origin without a host, such as `null` or an app's own scheme, stays as it is. */
const canonical = (origin: string): string => read(origin)?.origin ?? origin;
