import type { IncomingMessage, ServerResponse } from 'node:http';
import { LogBudget } from '@crossfade/push';
import { PUSH_PATH } from '@crossfade/protocol';
import type { Params } from 'nestjs-pino';
import { destination } from 'pino';
import { describeFault } from '../process/fault-log.js';
import { boundLine } from './log-line.js';

/** Lines a minute for requests that failed on our side; why they did has lines of its own. */
const LINES = 5;
const WINDOW_MS = 60_000;

/** Not the path: an address or a name may stand in it. */
const routeOf = ({ route }: IncomingMessage & { route?: { path: unknown } }): unknown =>
  route?.path ?? 'none';

/**
 * A line of JSON for each thing that happens. No line holds a token, nor what people typed: no header is logged, no query,
 * and of a path what routes and ids are made of.
 */
export function logging(level: string): Params {
  const out = destination({ dest: 1, sync: true });
  const budget = new LogBudget(LINES, WINDOW_MS);
  return {
    // A stream is no request that is soon over: a logger for each would stay as long. And refusing streams is not a fault,
    // and anyone can ask for very many: the push library says how many, and why.
    exclude: [PUSH_PATH],
    pinoHttp: [
      {
        level,
        serializers: {
          req: ({ id, method }: { id: unknown; method: string }) => ({ id, method }),
          res: ({ statusCode }: { statusCode: number }) => ({ status: statusCode }),
          err: describeFault,
        },
        // As they are, and not in the form that the library logs them in.
        wrapSerializers: false,
        customSuccessObject: (request: IncomingMessage, _response: ServerResponse, line: object) => ({
          ...line,
          route: routeOf(request),
        }),
        // What it was has been logged where it was caught.
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
          budget.take('failed', performance.now()) !== undefined
            ? 'error'
            : 'debug',
      },
      { write: (line: string) => out.write(boundLine(line)) },
    ],
  };
}
