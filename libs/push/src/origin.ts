/**
 * Whether a page of this origin is one of the server's own, by the `Host` that the request was sent to: the same name,
 * whatever its case, and the same port, where the port that belongs to the scheme may be left out of either. Which
 * scheme a client used is not known behind a proxy that speaks TLS; the origin's is taken for it.
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

/** As browsers write it. An origin that has no host, such as `null` or an app's own scheme, stands for itself. */
const canonical = (origin: string): string => read(origin)?.origin ?? origin;
