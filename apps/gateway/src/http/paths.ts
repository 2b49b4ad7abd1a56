import { plainPath } from '@crossfade/push/nest';

const ROUTES = /^\/(?:api|health|docs)(?:\/|$)/i;

/** Whether a path is one of the gateway's routes; any other is a file or a page of the two apps. */
export const isRoute = (path: string): boolean => ROUTES.test(path);

/**
 * How the door writes a path. To the router, doubled slashes and one at the end mean nothing; a folder of files needs the
 * one at its end, from which its page reads where it is. Letters stay as they are: the router does not care for their case in
 * its own words, files and ids do.
 */
export function spell(path: string): string {
  const plain = plainPath(path);
  return isRoute(plain) || plain === '/' || !path.endsWith('/') ? plain : `${plain}/`;
}
