import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import {
  Injectable,
  SSE_ABORT_CONTROLLER,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import type { Frame } from '../frame.js';
import type { SseOutput } from '../transports/sse.js';
import { sseBytes, sseChunks } from '../transports/sse-encoding.js';
import { raw } from './raw.js';

/** Takes a response over from NestJS; undefined: it cannot, and the stream goes through the Observable. */
export type TakeOver = (onWritable: () => void) => SseOutput | undefined;

/** Offers of the interceptor to the handler of the same request. */
export const takeOvers = new WeakMap<ServerResponse, TakeOver>();

/** What NestJS pipes into responses. */
const pipes = new WeakMap<ServerResponse, Readable>();

/** Call it in a guard: NestJS pipes before it calls interceptors. */
export function listenForPipe(response: ServerResponse): void {
  response.once('pipe', (source) => pipes.set(response, source));
}

/**
 * Lets a stream write frames itself, as bytes that all streams share. NestJS would format and copy each event for each
 * client, put the `id` before the `data` (some clients store an id as soon as its line is read, and lose the message
 * if the stream breaks there), and keep a list of its own between the write queue and the socket.
 *
 * NestJS pipes what it formats into the response. When the handler's stream begins, this cuts that pipe and completes the
 * Observable: NestJS sends the headers, takes the route for done and releases all that it held for it.
 * Nothing else knows about response internals, and the route works without it, too.
 */
@Injectable()
export class FrameWritingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const response = raw(http.getResponse<ServerResponse>());
    const { method } = raw(http.getRequest<IncomingMessage>());
    // To HEAD, NestJS sends the headers and ends.
    if (method === 'HEAD') return next.handle();
    return new Observable((subscriber) => {
      takeOvers.set(response, (onWritable) => {
        const piped = pipes.get(response);
        // Whatever of NestJS' can be reached from the response would stay as long as the stream.
        takeOvers.delete(response);
        pipes.delete(response);
        if (piped === undefined || response.destroyed) return undefined;
        piped.unpipe(response);
        subscriber.complete();
        // Headers that cannot be sent are an error, which an exception filter answers.
        if (!response.headersSent) return undefined;
        if (response.req.httpVersionMajor === 1) dropUnused(response);
        return outputOf(response, onWritable);
      });
      return next.handle().subscribe(subscriber);
    });
  }
}

/**
 * Drops what an open HTTP/1 response keeps and nobody reads any more: half of what an idle stream would hold. The
 * properties are set to nothing, not deleted: an object that loses a property becomes a hash table, which is larger.
 */
function dropUnused(response: ServerResponse): void {
  // The signal that NestJS has aborted now knows, by its reason's stack, all that was called.
  Object.assign(response.req, { [SSE_ABORT_CONTROLLER]: undefined });
  // Node's own copy of the headers, which are sent. Null is what it is before there is any.
  const headers = Object.getOwnPropertySymbols(response).find(
    ({ description }) => description === 'kOutHeaders',
  );
  if (headers !== undefined) Object.assign(response, { [headers]: null });
  // And the text that was sent: whether there is one is all that is asked for.
  Object.assign(response, { _header: 'sent' });
}

/**
 * How frames get to a response whose headers are sent. Over HTTP/1.1, its body is framed in chunks, which can go straight
 * to the socket. HTTP/1.0 has a bare body, and HTTP/2 frames of its own. A response without a socket waits for the
 * responses to earlier requests of its connection.
 */
function outputOf(response: ServerResponse, onWritable: () => void): SseOutput {
  const { socket, chunkedEncoding, req } = response;
  return socket !== null && chunkedEncoding && req.httpVersionMajor === 1
    ? new SocketOutput(response, socket, onWritable)
    : new ResponseOutput(response, onWritable);
}

class SocketOutput implements SseOutput {
  constructor(
    private readonly response: ServerResponse,
    private readonly socket: Socket,
    private readonly onWritable: () => void,
  ) {
    // The response does not hear of bytes that bypass it.
    socket.on('drain', onWritable);
  }

  get writable(): boolean {
    return !this.socket.writableNeedDrain && !this.socket.destroyed;
  }

  write(frames: readonly Frame[]): void {
    this.socket.write(sseChunks.join(frames));
  }

  end(): void {
    this.response.end();
  }

  detach(): void {
    this.socket.off('drain', this.onWritable);
  }
}

class ResponseOutput implements SseOutput {
  constructor(
    private readonly response: ServerResponse,
    onWritable: () => void,
  ) {
    response.on('drain', onWritable);
  }

  get writable(): boolean {
    return !this.response.writableNeedDrain && !this.response.destroyed;
  }

  write(frames: readonly Frame[]): void {
    this.response.write(sseBytes.join(frames));
  }

  end(): void {
    this.response.end();
  }
}
