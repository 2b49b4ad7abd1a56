import type { ServerResponse } from 'node:http';
import type { CloseReason } from '@crossfade/protocol';
import { watchForStall } from '../backpressure.js';
import type { Frame } from '../frame.js';
import type { Transport, TransportEvents } from '../transport.js';

/** What takes a stream's frames: the route's Observable, or the socket itself. */
export interface SseOutput {
  /** Whether it takes bytes now. */
  readonly writable: boolean;
  write(frames: readonly Frame[]): void;
  /** Ends the response in order. */
  end(): void;
  /** The response has ended. Its socket may live on. */
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
    private readonly stallMs: number,
  ) {
    response.once('close', () => {
      this.#output?.detach?.();
      this.#events?.closed();
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
    watchForStall(this.response, this.stallMs, this, events);
  }

  /** The response is ready: what waits may be written. */
  attach(output: SseOutput): void {
    this.#output = output;
    if (this.#ended) output.end();
    else this.onWritable();
  }

  /** The output takes bytes again. */
  readonly onWritable = (): void => this.#events?.writable();

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
