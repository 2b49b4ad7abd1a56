import type { IncomingMessage, ServerResponse } from 'node:http';
import { PUSH_PATH } from '@crossfade/protocol';
import type { Params } from 'nestjs-pino';

/** A line of JSON for each thing that happens. No line holds a token: no header is logged, and no query. */
export function logging(level: string): Params {
  return {
    pinoHttp: {
      level,
      serializers: {
        req: ({ id, method, url }: { id: unknown; method: string; url: string }) => ({
          id,
          method,
          path: url.split('?', 1)[0],
        }),
        res: ({ statusCode }: { statusCode: number }) => ({ status: statusCode }),
      },
      customLogLevel: (request: IncomingMessage, response: ServerResponse, error?: Error) =>
        (error !== undefined || response.statusCode >= 500) && !isPush(request) ? 'error' : 'debug',
    },
  };
}

/** Refusing streams is not a fault, and anyone can ask for very many: the push library says how many, and why. */
const isPush = ({ url = '' }: IncomingMessage): boolean => url.split('?', 1)[0] === PUSH_PATH;
