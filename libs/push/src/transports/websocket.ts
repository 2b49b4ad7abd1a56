import { closeTable, type CloseReason } from '@crossfade/protocol';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Transport, TransportEvents } from '../connection.js';
import type { Frame } from '../frame.js';

/** WebSocket text frames over one socket. Back-pressure is the TCP socket's own. */
export class WebSocketTransport implements Transport {
  readonly name = 'websocket';

  constructor(
    private readonly webSocket: WebSocket,
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
    this.socket.on('drain', () => events.drained());
    this.webSocket.once('close', () => events.closed());
    // Node's own measure: it is put off by every byte that the kernel takes.
    this.socket.setTimeout(this.stallMs, () => {
      if (this.pendingBytes > 0) events.stalled();
    });
  }

  write(frames: readonly Frame[]): void {
    this.socket.cork();
    for (const frame of frames) this.webSocket.send(frame.webSocket);
    this.socket.uncork();
  }

  end(reason: CloseReason): void {
    this.webSocket.close(closeTable[reason].webSocket);
  }

  destroy(): void {
    this.webSocket.terminate();
  }
}
