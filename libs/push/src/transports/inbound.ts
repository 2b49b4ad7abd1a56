import { closeTable } from '@crossfade/protocol';
import { WebSocket, type ServerOptions } from 'ws';
import { tenthsOf, type Clock, type Tenths } from '../clock.js';
import { CLOSE_TIMEOUT_MS } from '../deadline.js';
import type { TransportEvents } from '../transport.js';

export interface InboundLimits {
  /** Messages and pings that a client may send at once. */
  readonly burst: number;
  /** And in each second, in the long run. */
  readonly perSecond: number;
  readonly clock: Clock;
}

/** Options of ws that bound what a client sends below the level of messages. Today's clients send nothing but pings. */
export const inboundOptions = {
  // Its own is half a minute, in which a client that broke the protocol would keep its stream.
  closeTimeout: CLOSE_TIMEOUT_MS,
  // It answers every ping, and keeps the answers for a client that does not read them.
  autoPong: false,
  // What a client sends is not read.
  skipUTF8Validation: true,
  // Pieces of one message, empty ones too: they cost as much as messages, and are not counted.
  maxFragments: 16,
  // Pieces of one frame, as they come from the socket.
  maxBufferedChunks: 64,
} satisfies ServerOptions & { readonly closeTimeout: number };

/**
 * A WebSocket that throws away what its client sends, and counts it: one that sends more than its budget is closed as
 * `flooding`. It overrides `emit`, since listeners for what comes would cost each stream more than the counting.
 */
export class InboundWebSocket extends WebSocket {
  /** Hears of a flood; undefined before the stream is open. */
  events: Pick<TransportEvents, 'close'> | undefined = undefined;
  readonly #limits: InboundLimits;
  /** When the whole budget is free again. */
  #wholeAt: Tenths = 0;
  #isFlooding = false;

  /** As ws makes it: `options` are those of its server. */
  constructor(
    address: null,
    protocols: undefined,
    options: ServerOptions & { readonly inbound: InboundLimits },
  ) {
    // ws makes its server's sockets so; its types know only a client's.
    super(address as unknown as string, protocols, options);
    this.#limits = options.inbound;
  }

  override emit(event: string | symbol, ...values: unknown[]): boolean {
    if (event !== 'message' && event !== 'ping' && event !== 'pong') return super.emit(event, ...values);
    // Many may have come in one chunk: the rest of it is ignored.
    if (!this.#isFlooding) this.#received(event === 'ping' ? (values[0] as Buffer) : undefined);
    return true;
  }

  #received(ping: Buffer | undefined): void {
    const { burst, perSecond, clock } = this.#limits;
    const now = tenthsOf(clock);
    this.#wholeAt = Math.max(this.#wholeAt, now) + 10 / perSecond;
    if (this.#wholeAt - now > (burst * 10) / perSecond) this.#flood();
    else if (ping !== undefined) this.#answer(ping);
  }

  /** One pong at a time, and none while the socket takes no bytes: a client that pings must read. */
  #answer(ping: Buffer): void {
    // Bytes wait only where the kernel has no room for more.
    if (this.readyState === WebSocket.OPEN && this.bufferedAmount === 0) this.pong(ping, false);
  }

  #flood(): void {
    this.#isFlooding = true;
    this.pause();
    if (this.events !== undefined) return this.events.close('flooding');
    this.close(closeTable.flooding.webSocket);
    setTimeout(() => this.terminate(), CLOSE_TIMEOUT_MS).unref();
  }
}
