import { closeTable, type CloseReason } from '@crossfade/protocol';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { watchForStall } from '../backpressure.js';
import type { Frame } from '../frame.js';
import type { Transport, TransportEvents } from '../transport.js';
import type { InboundWebSocket } from './inbound.js';
import { webSocketBytes } from './websocket-encoding.js';

/**
 * WebSocket text frames over one socket. They bypass `ws`, which would frame each message for each client. Without
 * compression, `ws` does no more than that, and holds nothing back that a frame could overtake.
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
    this.socket.on('drain', () => events.writable());
    this.webSocket.once('close', () => events.closed());
    watchForStall(this.socket, this.stallMs, this, events);
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
