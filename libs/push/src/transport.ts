import type { Socket } from 'node:net';
import type { CloseReason } from '@crossfade/protocol';
import type { Frame } from './frame.js';

export type TransportName = 'sse' | 'websocket';

/** One open socket of either kind. Encodes and writes; knows nothing of the domain. */
export interface Transport {
  readonly name: TransportName;
  /** Whether the socket takes bytes now. While it does not, nothing is written; the event `writable` says when it does again. */
  readonly writable: boolean;
  /** Bytes that were written and that the kernel has not taken yet. */
  readonly pendingBytes: number;
  /** The socket below, to see whether its peer is still there; null once it is gone. */
  readonly socket: Socket | null;
  /** Hands frames to the socket in one write. */
  write(frames: readonly Frame[]): void;
  /** Ends the stream in order, after what was written. */
  end(reason: CloseReason): void;
  /** Ends it at once. */
  destroy(): void;
  /** Called by whoever owns the connection, once. */
  listen(events: TransportEvents): void;
}

export interface TransportEvents {
  /** The socket takes bytes again. */
  writable(): void;
  /** The socket is gone. */
  closed(): void;
  /** `slow`: bytes wait, and the socket took none for the stall time. `flooding`: the client sends more than it may. */
  close(reason: 'slow' | 'flooding'): void;
}
