import type { LoggedFrame } from './frame.js';
import type { Transport, TransportEvents } from './transport.js';
import type { WriteQueue } from './write-queue.js';

/*
 * When a reader counts as slow, and what happens to it:
 * 1. Its socket takes no bytes: messages wait in its write queue, and equal ones are merged.
 * 2. The queue is full: the stream falls behind. It keeps its position, and reads on from the window once the socket
 *    takes bytes again (`catch-up.ts`).
 * 3. The socket takes no byte for the stall time: the stream is closed as `slow`. So is one whose peer acknowledges none
 *    of the bytes that the kernel has taken (`vanished-peers.ts`).
 */

/** One write: what a slow client can make this process hold for it, beside the kernel's buffers and the queue. */
export const WRITE_CHARACTERS = 64 * 1024;
/** What may wait in one write queue. */
export const QUEUE_CHARACTERS = 256 * 1024;

/** Enqueues a frame of a live stream. A full queue is flushed first. `full`: the socket takes nothing, the reader is slow. */
export function enqueueOrFlush(
  queue: WriteQueue,
  frame: LoggedFrame,
  stream: { flush(): void },
): 'queued' | 'full' {
  if (queue.enqueue(frame) !== 'full') return 'queued';
  stream.flush();
  return queue.enqueue(frame) === 'full' ? 'full' : 'queued';
}

/** Closes a stream whose socket takes no byte for `stallMs` while bytes wait for it. */
export function watchForStall(
  socket: { setTimeout(milliseconds: number, call: () => void): unknown },
  stallMs: number,
  transport: Pick<Transport, 'pendingBytes'>,
  events: Pick<TransportEvents, 'close'>,
): void {
  // Node's own timer: every byte that the kernel takes puts it off.
  socket.setTimeout(stallMs, () => {
    if (transport.pendingBytes > 0) events.close('slow');
  });
}
