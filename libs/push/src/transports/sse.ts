import type { ServerResponse } from 'node:http';
import type { CloseReason } from '@crossfade/protocol';
import type { Transport, TransportEvents } from '../connection.js';
import type { Frame } from '../frame.js';

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

/** Where blocks go: the subscriber of the route's Observable. */
export interface SseSink {
  next(block: SseBlock): void;
  complete(): void;
}

/** The first wait of a client that lost its stream, milliseconds; each stream gets one between it and its double. */
const RETRY_MS = 1000;

/**
 * Server-Sent Events over one response. Writes only while the response takes bytes: whatever drains the Observable
 * keeps a list of its own, and would hide a slow client from the write queue.
 */
export class SseTransport implements Transport {
  readonly name = 'sse';
  #sink: SseSink | undefined;
  #events: TransportEvents | undefined;
  #ended = false;
  #first = true;

  constructor(
    private readonly response: ServerResponse,
    stallMs: number,
    private readonly random: () => number = Math.random,
  ) {
    response.on('drain', () => this.#events?.drained());
    response.once('close', () => this.#events?.closed());
    // Node's own measure: it is put off by every byte that the kernel takes.
    response.setTimeout(stallMs, () => {
      if (this.pendingBytes > 0) this.#events?.stalled();
    });
  }

  get writable(): boolean {
    return (
      this.#sink !== undefined && !this.#ended && !this.response.destroyed && !this.response.writableNeedDrain
    );
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

  /** The route is subscribed to: what waits may go. */
  attach(sink: SseSink): void {
    this.#sink = sink;
    if (this.#ended) sink.complete();
    else this.#events?.drained();
  }

  write(frames: readonly Frame[]): void {
    for (const frame of frames) this.#sink?.next(this.#block(frame));
  }

  end(_reason: CloseReason): void {
    this.#ended = true;
    this.#sink?.complete();
  }

  destroy(): void {
    this.response.destroy();
  }

  /** `retry:` at the start of a stream and where the stream will end soon, jittered so that clients spread. */
  #block({ id, sse, envelope }: Frame): SseBlock {
    const block = {
      ...(sse === undefined ? { comment: 'keepalive' } : { data: sse }),
      ...(id === undefined ? {} : { id }),
    };
    if (!this.#first && envelope?.type !== 'Reconnect') return block;
    this.#first = false;
    return { ...block, retry: Math.round(RETRY_MS * (1 + this.random())) };
  }
}
