import type { IncomingMessage } from 'node:http';

/** What a request asks for: a path that every reader reads alike, and the query byte for byte, with its `?`. */
type Target =
  | {
      readonly path: string;
      readonly query: string;
      /** Of an absolute form. It wins over `Host` (RFC 9112, 3.2.2). */
      readonly host?: string;
    }
  /** Why it is no path, as a sentence for the client. */
  | { readonly fault: string };

const ABSOLUTE_FORM = /^(?:https?|wss?):\/\/[^/?#]*/i;

/**
 * Reads a target as Node gives it, each character a byte. Characters that a path cannot have are encoded, so that no reader
 * takes a backslash for a slash or trims a space. Characters that need no encoding are decoded, so that there is one way to
 * write a path. An encoded slash is never a separator. Letters keep their case, and slashes their number.
 */
export function readTarget(target: string): Target {
  const [origin] = ABSOLUTE_FORM.exec(target) ?? [];
  const host = origin === undefined ? undefined : hostOf(origin);
  if (origin !== undefined && host === undefined) {
    return {
      fault: 'The target names a host or a port that cannot be read; send a path, like /health/live.',
    };
  }
  const [wanted = ''] = target.slice(origin?.length ?? 0).split('#', 1);
  const at = wanted.indexOf('?');
  const path = readPath(at === -1 ? wanted : wanted.slice(0, at), origin !== undefined);
  if (typeof path !== 'string') return path;
  return { path, query: at === -1 ? '' : wanted.slice(at), ...(host === undefined ? {} : { host }) };
}

function hostOf(origin: string): string | undefined {
  if (!URL.canParse(origin)) return undefined;
  const { host, pathname } = new URL(origin);
  // A backslash in it is a slash to some.
  return pathname === '/' ? host : undefined;
}

const NOT_IN_A_PATH = /[^\w.~!$&'()*+,;=:@%/-]/g;
const ENCODED = /%[\da-f]{2}/gi;
const NEVER_ENCODED = /[\w.~-]/;

function readPath(sent: string, isAbsolute: boolean): string | { readonly fault: string } {
  if (sent === '' && isAbsolute) return '/';
  if (!sent.startsWith('/')) return { fault: 'The target is no path; it must begin with a slash.' };
  const encoded = sent.replace(NOT_IN_A_PATH, encodeByte);
  const decoded = decode(encoded);
  if (decoded === undefined) {
    return {
      fault:
        'The path is not encoded as it must be: each "%" with two hexadecimal digits, and together they are UTF-8; a percent sign itself is "%25".',
    };
  }
  if (decoded.includes('\0')) return { fault: 'The path must not contain NUL ("%00").' };
  const path = encoded.replace(ENCODED, (code) => {
    const character = String.fromCharCode(parseInt(code.slice(1), 16));
    return NEVER_ENCODED.test(character) ? character : code;
  });
  // Some readers resolve them and some do not: such a path could pass a proxy's rule and mean another path here.
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) {
    return { fault: 'The path must not contain the segments "." and ".."; send the path that they lead to.' };
  }
  return path;
}

const encodeByte = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`;

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** The path without what routing ignores: doubled slashes, and one at the end. */
export function plainPath(path: string): string {
  const collapsed = path.replace(/\/{2,}/g, '/');
  return collapsed.length > 1 && collapsed.endsWith('/') ? collapsed.slice(0, -1) : collapsed;
}

/** The path of a request that came through the door. */
export const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?', 1)[0] ?? '/';

/** The query of a request's target. */
export function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const at = url.indexOf('?');
  return new URLSearchParams(at === -1 ? '' : url.slice(at + 1).split('#', 1)[0]);
}

/** Whether a request asks for a WebSocket: a GET that names it. It may name other protocols beside it, such as `h2c`. */
export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    (headers.upgrade ?? '').split(',').some((one) => one.trim().toLowerCase() === 'websocket')
  );
}
