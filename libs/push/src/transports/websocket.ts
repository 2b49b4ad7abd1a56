import { closeTable, encodeWebSocketFrame, type CloseReason } from '@crossfade/protocol';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Transport } from '../connection.js';
import type { Frame } from '../frame.js';
import type { Cursor } from '../log.js';

/** WebSocket text frames over one socket. Back-pressure is the TCP socket's own. */
export class WebSocketTransport implements Transport {
  readonly name = 'websocket';

  constructor(
    private readonly webSocket: WebSocket,
    private readonly socket: Socket,
  ) {}

  get writable(): boolean {
    return this.webSocket.readyState === WebSocket.OPEN && !this.socket.writableNeedDrain;
  }

  listen(events: { drained(): void; closed(): void }): void {
    this.socket.on('drain', () => events.drained());
    this.webSocket.once('close', () => events.closed());
  }

  write(frames: readonly Frame[]): void {
    this.socket.cork();
    for (const frame of frames) this.webSocket.send(frame.webSocket);
    this.socket.uncork();
  }

  writeKeepAlive(head: Cursor | undefined): void {
    this.webSocket.send(encodeWebSocketFrame(head));
  }

  end(reason: CloseReason): void {
    this.webSocket.close(closeTable[reason].webSocket);
  }

  destroy(): void {
    this.webSocket.terminate();
  }
}
