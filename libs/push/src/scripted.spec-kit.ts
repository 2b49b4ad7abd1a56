import {
  decodeSseData,
  encodeSseData,
  type Audience,
  type CloseReason,
  type Envelope,
} from '@crossfade/protocol';
import { QUEUE_CHARACTERS } from './backpressure.js';
import type { ConnectionInit } from './connection-init.js';
import type { ConnectionParts } from './connection.js';
import type { Environment } from './environment.js';
import { LoggedFrame, type Frame } from './frame.js';
import type { LogRecord, Position } from './log.js';
import { PushMetrics, StreamTally } from './metrics.js';
import { CatchUpScheduler, FlushScheduler } from './schedulers.js';
import { VirtualClock } from './testing/virtual-clock.js';
import type { Transport, TransportEvents } from './transport.js';
import { Window } from './window.js';

/** A socket whose willingness to take bytes is set by hand. */
export class ScriptedTransport implements Transport {
  readonly name = 'sse';
  readonly socket = null;
  writable = true;
  pendingBytes = 0;
  readonly written: Frame[][] = [];
  ended: CloseReason | undefined;
  destroyed = false;
  #events: TransportEvents | undefined;

  listen(events: TransportEvents): void {
    this.#events = events;
  }

  write(frames: readonly Frame[]): void {
    this.written.push([...frames]);
  }

  end(reason: CloseReason): void {
    this.ended = reason;
  }

  destroy(): void {
    this.destroyed = true;
    this.close();
  }

  /** The socket takes bytes again. */
  drain(): void {
    this.writable = true;
    this.#events?.writable();
  }

  /** The socket has bytes to send, and has sent none for the stall time. */
  stall(): void {
    this.#events?.close('slow');
  }

  /** The socket is gone. */
  close(): void {
    this.writable = false;
    this.#events?.closed();
  }

  /** Everything but keep-alives. */
  get frames(): Frame[] {
    return this.written.flat().filter(({ data }) => data !== undefined);
  }

  get types(): string[] {
    return this.frames.map((frame) => envelopeOf(frame)?.type ?? '');
  }

  get keepAlives(): (string | undefined)[] {
    return this.written.flat().flatMap(({ data, id }) => (data === undefined ? [id] : []));
  }
}

/** What a frame says; undefined: it is a keep-alive. */
export const envelopeOf = (frame: Frame | undefined): Envelope | undefined =>
  decodeSseData(frame?.data ?? '');

export const at = (offset: number | bigint): Position => ({ cursor: String(offset), offset: BigInt(offset) });

/** A record of organization `o` at an offset, and its frame. */
export function logged(offset: number, over: Partial<LogRecord> = {}): LoggedFrame {
  const audience: Audience[] = [{ kind: 'organization', id: 'o' }];
  return new LoggedFrame({
    ...at(offset),
    type: 'Changed',
    data: encodeSseData({ type: over.type ?? 'Changed', message: {} }),
    audience,
    delivery: 'invalidation',
    key: String(offset),
    publishedAt: 0,
    ...over,
  });
}

/** On a virtual clock, with the least chance, and with errors in a list. */
export function testEnvironment(
  over: Partial<Environment> = {},
): Environment & { readonly errors: string[] } {
  const errors: string[] = [];
  return {
    clock: new VirtualClock(),
    random: () => 0,
    metrics: new PushMetrics(),
    onError: (_error, doing) => errors.push(doing),
    errors,
    ...over,
  };
}

/** What a connection of user `u` in organization `o` needs, with a window of its own. */
export function connectionParts(over: Partial<ConnectionInit & ConnectionParts> = {}) {
  const limits = { capacity: 100, criticalCapacity: 100, criticalRetentionMs: 1000 };
  const window = new Window(limits, at(0), at(0));
  const init: ConnectionInit = {
    id: 'c',
    principal: { userId: 'u', tokenId: 't', organizationIds: new Set(['o']) },
    transport: new ScriptedTransport(),
    client: 'test/1',
    types: undefined,
    knowsResync: true,
    position: at(0),
    begins: 'live',
    tally: new StreamTally('sse', 'test'),
    confirmedAt: 0,
    ...over,
  };
  const parts: ConnectionParts = {
    limits: { messages: 3, characters: QUEUE_CHARACTERS },
    history: {
      window,
      get head() {
        return window.head;
      },
    },
    catchUp: new CatchUpScheduler(),
    flushes: new FlushScheduler(),
    environment: testEnvironment(),
    releaseLease: () => undefined,
    onClose: () => undefined,
    ...over,
  };
  return { init, parts, window };
}

/** Waits until everything that was set going in this turn has run. */
export const settled = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
