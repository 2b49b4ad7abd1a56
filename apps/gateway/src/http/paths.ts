import { plainPath } from '@crossfade/push/nest';

const ROUTES = /^\/(?:api|health|docs)(?:\/|$)/i;

/** Whether a path is one of the gateway's routes. Any other is a file or a page of the two apps. */
export const isRoute = (path: string): boolean => ROUTES.test(path);

/**
 * How the door normalizes a path. The router ignores doubled and trailing slashes. A folder of files needs its trailing
 * slash, since the page's relative links depend on it. The case of letters is kept: the router ignores it in its own
 * words, but files and ids do not.
 */
export function spell(path: string): string {
  const plain = plainPath(path);
  return isRoute(plain) || plain === '/' || !path.endsWith('/') ? plain : `${plain}/`;
}
