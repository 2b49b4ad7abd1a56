import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** Bytes of an unwanted body that are still taken, so that its sender gets to read the response. */
const DISCARDED_BYTES = 64 * 1024;
/** How long the sender has to read it. */
const LINGER_MS = 1000;

/** Requests whose body was not read yet. */
const unread = new WeakSet<IncomingMessage>();

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * Lets a server respond without reading a request's body. Such a response closes the connection: it is flushed, a bounded
 * part of the body is discarded, then the socket is destroyed. Destroying it at once would send a reset, and many clients
 * would lose the response. Reading on would let anyone send for as long as they like. The reader of the body answers
 * `Expect: 100-continue`; otherwise the final status does.
 */
export function answerBeforeBody(server: Server): void {
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    if (hasBody(request)) closeUnlessRead(request, response);
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waitsForContinue.add(request);
    server.emit('request', request, response);
  });
}

const waitsForContinue = new WeakSet<IncomingMessage>();

/** Sends `100 Continue` to a client that waits for it. */
export function askForBody(request: IncomingMessage, response: ServerResponse): void {
  if (waitsForContinue.delete(request)) response.writeContinue();
}

/** The body was read: the connection may be used again. */
export function bodyIsRead(request: IncomingMessage, response: ServerResponse): void {
  unread.delete(request);
  if (!response.headersSent) response.removeHeader('Connection');
}

function closeUnlessRead(request: IncomingMessage, response: ServerResponse): void {
  unread.add(request);
  response.setHeader('Connection', 'close');
  const end = response.end.bind(response) as (...parts: unknown[]) => ServerResponse;
  response.end = (...parts: unknown[]) => {
    if (unread.delete(request)) linger(request);
    return end(...parts);
  };
}

/** Replaces how Node closes the socket after the response. */
function linger(request: IncomingMessage): void {
  const { socket } = request;
  let left = DISCARDED_BYTES;
  // Once paused, nothing more is taken from the socket, so the sender waits, and reads the response.
  const discard = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left <= 0) request.pause();
  };
  request
    .on('data', discard)
    .on('error', () => undefined)
    .resume();
  socket.destroySoon = () => {
    const destroy = (): void => void socket.destroy();
    const timer = setTimeout(destroy, LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
    const destroyFlushed = (): void => {
      if (socket.writableFinished) destroy();
      else socket.once('finish', destroy);
    };
    if (socket.writable) socket.end();
    if (request.readableEnded) destroyFlushed();
    else request.once('end', destroyFlushed);
  };
}
