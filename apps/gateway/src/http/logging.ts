import type { IncomingMessage, ServerResponse } from 'node:http';
import { PUSH_PATH } from '@crossfade/protocol';
import type { Params } from 'nestjs-pino';

/**
 * A line of JSON for each thing that happens. No line holds a token, nor what people typed: no header is logged, no query,
 * and of a path what routes and ids are made of.
 */
export function logging(level: string): Params {
  return {
    // A stream is no request that is soon over: a logger for each would stay as long. And refusing streams is not a fault,
    // and anyone can ask for very many: the push library says how many, and why.
    exclude: [PUSH_PATH],
    pinoHttp: {
      level,
      serializers: {
        req: ({ id, method, url }: { id: unknown; method: string; url: string }) => ({
          id,
          method,
          path: pathOf(url),
        }),
        res: ({ statusCode }: { statusCode: number }) => ({ status: statusCode }),
      },
      customLogLevel: (_request: IncomingMessage, response: ServerResponse, error?: Error) =>
        error !== undefined || response.statusCode >= 500 ? 'error' : 'debug',
    },
  };
}

const pathOf = (url: string): string =>
  (url.split('?', 1)[0] ?? '')
    .replace(/\/by-ref\/[^/]*/, '/by-ref/…')
    .split('/')
    .map((part) => (/^[\w.,~-]*$/.test(part) ? part : '…'))
    .join('/');
