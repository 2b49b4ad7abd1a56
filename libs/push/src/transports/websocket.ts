import { closeTable, encodeWebSocketFrame, type CloseReason } from '@crossfade/protocol';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Transport, TransportEvents } from '../transport.js';
import { Encoding } from '../encoding.js';
import type { Frame } from '../frame.js';
import type { InboundWebSocket } from './inbound.js';

/** A whole text message in one frame that is not masked, as servers send them (RFC 6455, section 5.2). */
const TEXT_MESSAGE = 0x81;

const webSocketBytes = new Encoding('websocket', ({ id, envelope }) => {
  const text = Buffer.from(encodeWebSocketFrame(id, envelope));
  return Buffer.concat([frameHead(text.length), text]);
});

/** The two bytes before a short text; a longer one has its length in two more, or in eight. */
function frameHead(length: number): Buffer {
  if (length < 126) return Buffer.from([TEXT_MESSAGE, length]);
  if (length < 0x1_0000) return Buffer.from([TEXT_MESSAGE, 126, length >> 8, length & 0xff]);
  const head = Buffer.from([TEXT_MESSAGE, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/**
 * WebSocket text frames over one socket. They go to it past `ws`, which would frame each for each client; it does no
 * more than that where nothing is compressed, and holds nothing back that could be overtaken.
 */
export class WebSocketTransport implements Transport {
  readonly name = 'websocket';

  constructor(
    private readonly webSocket: InboundWebSocket,
    readonly socket: Socket,
    private readonly stallMs: number,
  ) {}

  get writable(): boolean {
    return this.webSocket.readyState === WebSocket.OPEN && !this.socket.writableNeedDrain;
  }

  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  listen(events: TransportEvents): void {
    this.webSocket.events = events;
    this.socket.on('drain', () => events.drained());
    this.webSocket.once('close', () => events.closed());
    // Node's own measure: it is put off by every byte that the kernel takes.
    this.socket.setTimeout(this.stallMs, () => {
      if (this.pendingBytes > 0) events.stalled();
    });
  }

  write(frames: readonly Frame[]): void {
    this.socket.write(webSocketBytes.join(frames));
  }

  end(reason: CloseReason): void {
    this.webSocket.close(closeTable[reason].webSocket);
  }

  destroy(): void {
    this.webSocket.terminate();
  }
}
