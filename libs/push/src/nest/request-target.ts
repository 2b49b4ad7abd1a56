import type { IncomingMessage } from 'node:http';

const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;

/** The path of a request's target as it was sent. Never a `URL`: a peer writes what one cannot be made of. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  return url.replace(ABSOLUTE_FORM, '').split(/[?#]/, 1)[0] || '/';
}

/** The query of a request's target. */
export function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const at = url.indexOf('?');
  return new URLSearchParams(at === -1 ? '' : url.slice(at + 1).split('#', 1)[0]);
}

/** Whether a request would become a WebSocket: a GET that names it. Other protocols, such as `h2c`, may be named beside it. */
export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return (
    method === 'GET' &&
    (headers.upgrade ?? '').split(',').some((one) => one.trim().toLowerCase() === 'websocket')
  );
}
