import type { ServerResponse } from 'node:http';
import type { CloseReason } from '@crossfade/protocol';
import type { Transport, TransportEvents } from '../transport.js';
import { Encoding } from '../encoding.js';
import { ControlFrame, type Frame } from '../frame.js';

/** One block of an event stream, in the fields that NestJS' `MessageEvent` has. No field holds a line break. */
export interface SseBlock {
  readonly id?: string;
  readonly data?: string;
  readonly comment?: string;
  readonly retry?: number;
}

/** A block as bytes have it: the data before the id, so that nobody keeps the id of a message that broke off. */
export function encodeBlock({ comment, data, id, retry }: SseBlock): string {
  return (
    (comment === undefined ? '' : `: ${comment}\n`) +
    (data === undefined ? '' : `data: ${data}\n`) +
    (id === undefined ? '' : `id: ${id}\n`) +
    (retry === undefined ? '\n' : `retry: ${retry}\n\n`)
  );
}

/** The first wait of a client that lost its stream, milliseconds; each stream gets one between it and its double. */
const RETRY_MS = 1000;

/** `retry:` goes at the start of a stream, and where it will end soon, jittered so that clients spread. */
export function blockOf(frame: Frame): SseBlock {
  const { id, data, envelope } = frame;
  const isRetryTold =
    frame instanceof ControlFrame && (envelope?.type === 'Connected' || envelope?.type === 'Reconnect');
  return {
    ...(data === undefined ? { comment: 'keepalive' } : { data }),
    ...(id === undefined ? {} : { id }),
    ...(isRetryTold ? { retry: Math.round(RETRY_MS * (1 + Math.random())) } : {}),
  };
}

/** Plain, for a response that frames its body itself. */
export const sseBytes = new Encoding('sse', (frame) => Buffer.from(encodeBlock(blockOf(frame))));

/** Each block a chunk of HTTP/1.1 (RFC 9112, section 7.1), so that it can go straight to the socket. */
export const sseChunks = new Encoding('sse-chunks', (frame) => {
  const block = Buffer.from(encodeBlock(blockOf(frame)));
  return Buffer.concat([Buffer.from(`${block.length.toString(16)}\r\n`), block, Buffer.from('\r\n')]);
});

/** What takes a stream's frames: the route's Observable, or whatever stands before it. */
export interface SseOutput {
  /** Whether it takes bytes now. */
  readonly writable: boolean;
  write(frames: readonly Frame[]): void;
  /** Ends the response in order. */
  end(): void;
  /** The response is over: its socket may go on without it. */
  detach?(): void;
}

/** Server-Sent Events over one response. */
export class SseTransport implements Transport {
  readonly name = 'sse';
  #output: SseOutput | undefined;
  #events: TransportEvents | undefined;
  #ended = false;

  constructor(
    private readonly response: ServerResponse,
    stallMs: number,
  ) {
    response.once('close', () => {
      this.#output?.detach?.();
      this.#events?.closed();
    });
    // Node's own measure: it is put off by every byte that the kernel takes.
    response.setTimeout(stallMs, () => {
      if (this.pendingBytes > 0) this.#events?.stalled();
    });
  }

  get writable(): boolean {
    return !this.#ended && (this.#output?.writable ?? false);
  }

  get pendingBytes(): number {
    return this.response.writableLength;
  }

  get socket() {
    return this.response.socket;
  }

  listen(events: TransportEvents): void {
    this.#events = events;
  }

  /** There is something to write to: what waits may go. */
  attach(output: SseOutput): void {
    this.#output = output;
    if (this.#ended) output.end();
    else this.drained();
  }

  /** Whatever took no bytes takes them again. */
  readonly drained = (): void => this.#events?.drained();

  write(frames: readonly Frame[]): void {
    this.#output?.write(frames);
  }

  end(_reason: CloseReason): void {
    this.#ended = true;
    this.#output?.end();
  }

  destroy(): void {
    this.response.destroy();
  }
}
