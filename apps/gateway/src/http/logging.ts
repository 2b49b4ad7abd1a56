import type { IncomingMessage, ServerResponse } from 'node:http';
import { LogSampler } from '@crossfade/push';
import { PUSH_PATH } from '@crossfade/protocol';
import type { Params } from 'nestjs-pino';
import { destination } from 'pino';
import { describeFault } from '../process/fault-log.js';
import { boundLine } from './log-line.js';

/** Lines a minute for requests that failed on our side. The failures themselves have their own lines. */
const LINES = 5;
const WINDOW_MS = 60_000;

/** The route and not the path, which may contain an address or a name. */
const routeOf = ({ route }: IncomingMessage & { route?: { path: unknown } }): unknown =>
  route?.path ?? 'none';

/**
 * Logs each event as a line of JSON. No line contains a token or what people typed: no header is logged, no query, and of
 * a path only its route. `replica` is in each.
 */
export function logging(level: string, replica: string): Params {
  const out = destination({ dest: 1, sync: true });
  const sampler = new LogSampler(LINES, WINDOW_MS);
  return {
    // A stream is a long request, and a logger for each would live as long. Refused streams are no faults, and anyone can
    // cause very many: the push library logs how many, and why.
    exclude: [PUSH_PATH],
    pinoHttp: [
      {
        level,
        base: { pid: process.pid, replica },
        serializers: {
          req: ({ id, method }: { id: unknown; method: string }) => ({ id, method }),
          res: ({ statusCode }: { statusCode: number }) => ({ status: statusCode }),
          err: describeFault,
        },
        // The serializers get the original objects, not the library's summaries.
        wrapSerializers: false,
        customSuccessObject: (request: IncomingMessage, _response: ServerResponse, line: object) => ({
          ...line,
          route: routeOf(request),
        }),
        // The error itself was logged where it was caught.
        customErrorObject: (
          request: IncomingMessage,
          res: ServerResponse,
          { code }: Error & { code?: string },
        ) => ({
          res,
          code,
          route: routeOf(request),
        }),
        customLogLevel: (_request: IncomingMessage, response: ServerResponse, error?: Error) =>
          (error !== undefined || response.statusCode === 500) &&
          sampler.take('failed', performance.now()) !== undefined
            ? 'error'
            : 'debug',
      },
      { write: (line: string) => out.write(boundLine(line)) },
    ],
  };
}
