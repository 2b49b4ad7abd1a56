import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** What is still taken of a body that nobody wants, so that its sender comes to read the answer. */
const DISCARDED_BYTES = 64 * 1024;
/** How long the sender has for that. */
const LINGER_MS = 1000;

/** Requests whose body is on its way, and has not been read by us. */
const unread = new WeakSet<IncomingMessage>();

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * Lets a server answer before it has read a request's body, and without reading it. Such an answer closes the connection:
 * it is flushed, a bounded part of the body is discarded, then the socket is destroyed. To destroy it at once would be a
 * reset, with which many clients lose the answer; to read on would let anyone send for as long as they like.
 * `Expect: 100-continue` is answered by whoever reads the body, or with the final status.
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

/** Tells a client that waits for it to send the body. */
export function askForBody(request: IncomingMessage, response: ServerResponse): void {
  if (waitsForContinue.delete(request)) response.writeContinue();
}

/** The body is here: the connection may be used again. */
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

/** From here on, what Node does with the socket after the answer is done in our way. */
function linger(request: IncomingMessage): void {
  const { socket } = request;
  let left = DISCARDED_BYTES;
  // Paused, it takes no more from the socket; the sender waits, and reads.
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
