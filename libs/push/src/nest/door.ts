import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { answerOn, answerWith, problemAnswer, type HttpAnswer } from './http-answer.js';
import { readTarget } from './request-target.js';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Reads a request's target once, and writes it back into the request as everything behind the door compares it: the path
 * as `spell` normalizes it, and the query as it was sent. @returns what to answer to a target that is no path
 */
export function enter(request: IncomingMessage, spell: (path: string) => string): HttpAnswer | undefined {
  if (request.method === 'OPTIONS' && request.url === '*') return isHere;
  const target = readTarget(request.url ?? '');
  if ('fault' in target) return problemAnswer(400, target.fault);
  request.url = `${spell(target.path)}${target.query}`;
  if (target.host !== undefined) request.headers.host = target.host;
  return undefined;
}

/**
 * Stands before the server's present listeners for requests, and answers those that must not come in: in full, also where
 * Node would cut the connection or send a bare status.
 */
export class Door {
  readonly #behind: readonly Listener[];

  constructor(
    private readonly server: Server,
    private readonly refusalOf: (request: IncomingMessage) => HttpAnswer | undefined,
  ) {
    this.#behind = server.rawListeners('request') as Listener[];
    server.removeAllListeners('request').on('request', this.#request);
    server.on('connect', this.#connect).on('clientError', this.#unreadable);
  }

  /** Leaves the server as it was. */
  close(): void {
    const { server } = this;
    server.off('request', this.#request).off('connect', this.#connect).off('clientError', this.#unreadable);
    for (const listener of this.#behind) server.on('request', listener);
  }

  readonly #request = (request: IncomingMessage, response: ServerResponse): void => {
    const refusal = this.refusalOf(request);
    if (refusal !== undefined) return answerWith(response, refusal);
    for (const listener of this.#behind) listener.call(this.server, request, response);
  };

  /** A request for a tunnel. A program that is a proxy has a listener of its own. */
  readonly #connect = (_request: IncomingMessage, carrier: Socket | ServerResponse): void => {
    if (this.server.listenerCount('connect') > 1) return;
    if ('writeHead' in carrier) return answerWith(carrier, noProxy);
    carrier.on('error', () => undefined);
    answerOn(carrier, noProxy);
  };

  readonly #unreadable = (error: NodeJS.ErrnoException, socket: Answering): void => {
    if (this.server.listenerCount('clientError') > 1 || told.has(socket)) return;
    // After the headers of another answer, ours would be taken for its body.
    if (!socket.writable || socket._httpMessage?.headersSent === true) return socket.destroySoon();
    told.add(socket);
    answerOn(socket, unreadable[error.code ?? ''] ?? noHttp);
  };
}

/** Node's own name for the response that a socket carries now. */
type Answering = Socket & { readonly _httpMessage?: ServerResponse | null };

/** Sockets that were answered: every further byte of an unreadable request is another error. */
const told = new WeakSet<Socket>();

/** To `OPTIONS *`, which asks about the server itself (RFC 9110, 9.3.7). */
const isHere: HttpAnswer = { status: 200, headers: {}, body: '' };
const noProxy = problemAnswer(405, 'This is no proxy; send a request with a path, like /health/live.');
const noHttp = problemAnswer(400, 'This cannot be read as HTTP/1.1.');
const unreadable: Readonly<Record<string, HttpAnswer>> = {
  HPE_INVALID_URL: problemAnswer(
    400,
    'The target is no path; it must begin with a slash, and what is not ASCII must be encoded.',
  ),
  HPE_HEADER_OVERFLOW: problemAnswer(431, 'The target and the headers are too long together.'),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: problemAnswer(413, 'The extensions of a chunk are too long.'),
  ERR_HTTP_REQUEST_TIMEOUT: problemAnswer(408, 'The request did not arrive in time.'),
};
