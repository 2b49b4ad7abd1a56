import { closeTable, type CloseReason } from '@crossfade/protocol';
import { audiencesOf } from './audience-lists.js';
import type { CatchUp } from './catch-up.js';
import type { Clock } from './clock.js';
import { LoggedFrame, StillFrame, type ControlWord, type Frame, type MarkFrame } from './frame.js';
import type { ConnectionId } from './lease.js';
import type { Tenths } from './confirmation.js';
import type { Cursor, Position } from './log.js';
import type { EndReason, PushMetrics, ResyncReason, StreamTally } from './metrics.js';
import type { Principal } from './principal.js';
import type { Transport, TransportEvents } from './transport.js';
import type { Turn } from './turn.js';
import type { Window } from './window.js';
import { WriteQueue, type QueueLimits, type Source } from './write-queue.js';

/**
 * `open` until something ends it; `leaving` has been told to open the next stream, and goes on until it has, or its
 * time is over; `held` is handed nothing more and waits for its end, since nobody can say what it may hear; `closing` has
 * said goodbye and waits for the socket; `closed` is over.
 */
type State = 'open' | 'leaving' | 'held' | 'closing' | 'closed';

/** After the goodbye, a socket has this long to take it; after `Reconnect` and its delay, a client has it as well. */
const GOODBYE_MS = 1000;
/** One write: what a slow client can make this process hold for it, beside the kernel's buffers. */
const WRITE_CHARACTERS = 64 * 1024;
/** What may wait beside it. */
export const QUEUE_CHARACTERS = 256 * 1024;
/** Clients that lost something fetch it again within this time, each at a moment of its own. */
const RESYNC_SPREAD_MS = 2000;

const still = new StillFrame();

/** What all connections share. */
export interface ConnectionParts {
  /** Of each write queue. */
  readonly limits: QueueLimits;
  /** What it reads while it is behind, up to the last record that was handed over. */
  readonly history: { readonly window: Window; readonly head: Position };
  readonly catchUp: CatchUp;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: Pick<PushMetrics, 'waited'>;
  /** Called once for each: its place counts no more. */
  readonly onLeave: (connection: Connection) => void;
  /** Called once for each, before anything else of the end: leave the hub. */
  readonly onClose: (connection: Connection) => void;
}

export interface ConnectionInit {
  readonly id: ConnectionId;
  readonly principal: Principal;
  readonly transport: Transport;
  /** Which app and build, as the client says; for operators. */
  readonly client: string;
  /** Only these types, or all. Control messages always come. */
  readonly types: ReadonlySet<string> | undefined;
  /** Whether `Resync` makes its client fetch. Any other client fetches when its stream has ended. */
  readonly knowsResync: boolean;
  /** Where it begins, and whether that is the head. */
  readonly position: Position;
  readonly reading: 'live' | 'behind';
  /** Where what it does is counted. */
  readonly tally: StreamTally;
  /** When its rights were last known, in tenths of a second of `Clock.elapsed`. */
  readonly confirmedAt: Tenths;
}

/** One open stream of one principal, SSE or WebSocket. There are very many: what it holds for itself is little. */
export class Connection implements TransportEvents {
  readonly id: ConnectionId;
  readonly transport: Transport;
  readonly client: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
  /** The organizations whose messages it gets; the hub changes it. */
  readonly organizationIds: Set<string>;
  /** Counts what changed its memberships: an answer about it that was asked for before is out of date. */
  revision = 0;
  /** When its rights were last known. */
  #confirmedAt: Tenths;
  /** It may have joined an organization meanwhile, whose messages it did not get. */
  #isInDoubt = false;
  readonly #parts: ConnectionParts;
  /** Who it is, but for what changes. */
  readonly #identity: Omit<Principal, 'organizationIds'>;
  readonly #queue: WriteQueue;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #knowsResync: boolean;
  readonly #tally: StreamTally;
  #state: State = 'open';
  #isFlushScheduled = false;
  #hasPlace = true;

  constructor(init: ConnectionInit, parts: ConnectionParts) {
    const { organizationIds, ...identity } = init.principal;
    this.#parts = parts;
    this.#identity = identity;
    this.id = init.id;
    this.transport = init.transport;
    this.client = init.client;
    this.organizationIds = new Set(organizationIds);
    this.openedAt = parts.clock.now();
    this.#confirmedAt = init.confirmedAt;
    this.#types = init.types;
    this.#knowsResync = init.knowsResync;
    this.#tally = init.tally;
    this.#queue = new WriteQueue(parts.limits, init.position, init.reading, init.tally);
    this.transport.listen(this);
  }

  get principal(): Principal {
    return { ...this.#identity, organizationIds: this.organizationIds };
  }

  /** The cursor that the stream was last handed. */
  get position(): Cursor {
    return this.#queue.position.cursor;
  }

  /** Whether it hears of what is published at once, or reads on from the window. */
  get isLive(): boolean {
    return this.#queue.reading === 'live';
  }

  /** Messages that wait for the socket. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** When its rights were last known. */
  get confirmedAt(): Tenths {
    return this.#confirmedAt;
  }

  /** Its memberships may have grown, and nobody could say: once somebody can, it is told to fetch. */
  doubt(): void {
    this.#isInDoubt = true;
  }

  /**
   * Its rights are known as of then. `hasMissed`: it has memberships that no message told of, so what its client holds is
   * stale, and nobody knows since when. A stream that is held already ends all the same.
   */
  confirm(at: Tenths, hasMissed = false): void {
    if (this.#state === 'held') return;
    this.#confirmedAt = at;
    if (hasMissed || this.#isInDoubt) this.#makeFetch('gap');
    this.#isInDoubt = false;
  }

  /** Hands a logged message to the stream. What arrives in one turn of the event loop goes out in one write. */
  offer(frame: LoggedFrame): void {
    if (!this.#isOpen || !this.#wants(frame)) return;
    if (this.#queue.offer(frame) === 'full') {
      this.flush();
      // Only for a socket that takes nothing: what it misses now, it reads in the window when it does again.
      if (this.#queue.offer(frame) === 'full') {
        this.#tally.fellBehind += 1;
        return this.#queue.fallBehind();
      }
    }
    this.#scheduleFlush();
  }

  /** Says something about the stream itself. */
  say(word: ControlWord): void {
    if (!this.#isOpen) return;
    this.#queue.say(word);
    this.#scheduleFlush();
  }

  /** In the middle of the stream: something was missed that cannot be replayed. */
  #makeFetch(reason: ResyncReason): void {
    if (!this.#isOpen) return;
    if (this.#knowsResync) return this.resync(reason);
    this.#tally.resyncs[reason] += 1;
    this.close('stale');
  }

  /**
   * Tells the client to fetch, since what it missed after its position is no longer held; critical messages still come.
   * `isKnown`: whether the position is what the client had; else nobody can say that they are complete.
   */
  resync(reason: ResyncReason, isKnown = true): void {
    if (!this.#isOpen) return;
    this.#tally.resyncs[reason] += 1;
    const { window, head } = this.#parts.history;
    const audiences = audiencesOf(this.principal);
    const from = this.#queue.position;
    const isHeld = window.coversCriticals(from.place, audiences);
    this.#queue.resync(isHeld ? from : window.criticalFloor(audiences), head);
    this.#queue.say({
      type: 'Resync',
      message: {
        reason,
        delay_ms: Math.round(this.#parts.random() * RESYNC_SPREAD_MS),
        criticals: isHeld && isKnown ? 'complete' : 'truncated',
      },
    });
    this.#scheduleFlush();
  }

  /** A sign of life; `head`, the log's, moves a stream on that has nothing waiting. */
  keepAlive(head: MarkFrame): void {
    if (!this.#isOpen || this.transport.pendingBytes > 0 || !this.transport.writable) return;
    if (!this.#queue.isEmpty) return;
    if (this.isLive) this.#queue.moveTo(head.position);
    this.transport.write([this.isLive ? head : still]);
  }

  /** Reads a piece of what it missed; whether it could go on at once. */
  readOn(): boolean {
    if (!this.#isOpen || this.isLive || !this.#queue.isEmpty) return false;
    const { window, head } = this.#parts.history;
    const audiences = audiencesOf(this.principal);
    const source: Source = {
      head,
      covers: ({ place }, only) =>
        only === undefined ? window.covers(place, audiences) : window.coversCriticals(place, audiences),
      after: ({ place }, only) => window.after(place, audiences, only),
    };
    const read = this.#queue.readOn(source, (frame) => this.#wants(frame));
    if (read === 'gap') this.#makeFetch('lagging');
    if (read === 'live') this.#tally.caughtUp += 1;
    this.#write();
    return this.#isOpen && !this.isLive && this.transport.writable;
  }

  /**
   * Tells the client to open its next stream after `delayMs`, and gives its place back. It stays until the next one
   * replaces it, or `delayMs` and a second have passed.
   */
  leave(delayMs: number): void {
    // It may not be told anything, so it ends at once.
    if (this.#state === 'held') return this.close('unconfirmed');
    if (this.#state !== 'open') return;
    this.say({ type: 'Reconnect', message: { delay_ms: delayMs } });
    this.#state = 'leaving';
    this.#givePlaceBack();
    this.#parts.clock.after(delayMs + GOODBYE_MS, () => this.close('draining'));
  }

  /** Hands it nothing more: what comes and what waits is for the next stream, which begins where this one was. */
  hold(): void {
    if (!this.#isOpen) return;
    this.#state = 'held';
    this.#queue.fallBehind();
  }

  /**
   * The one way out, whatever ends the stream. Safe to call twice. `why` is what a `Revoked` says; it is said only if
   * the socket takes it, and the socket is destroyed a second later.
   */
  close(reason: CloseReason, why?: string): void {
    if (!this.#isHere) return;
    this.#state = 'closing';
    this.#leaveAll(reason);
    if (this.transport.writable) {
      if (closeTable[reason].farewell === 'Revoked') {
        this.#queue.say({ type: 'Revoked', message: { reason: why ?? 'You may not stay connected.' } });
      }
      const last = this.#queue.take(WRITE_CHARACTERS);
      if (last.length > 0) this.#hand(last);
    }
    this.transport.end(reason);
    this.#parts.clock.after(GOODBYE_MS, () => {
      if (this.#state === 'closing') this.transport.destroy();
    });
  }

  get #isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'leaving';
  }

  get #isHere(): boolean {
    return this.#isOpen || this.#state === 'held';
  }

  #wants({ record }: LoggedFrame): boolean {
    return this.#types?.has(record.type) ?? true;
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#parts.turn.add(this);
  }

  /** Writes what waits, as far as the socket takes it; `hasWaited`: for the socket, not only for this turn's end. */
  flush(hasWaited = false): void {
    this.#isFlushScheduled = false;
    this.#write(hasWaited);
    if (this.#isOpen && !this.isLive && this.transport.writable) this.#parts.catchUp.add(this);
  }

  #write(hasWaited = false): void {
    while (this.#isOpen && !this.#queue.isEmpty && this.transport.writable) {
      this.#hand(this.#queue.take(WRITE_CHARACTERS), hasWaited);
    }
  }

  #hand(frames: readonly Frame[], hasWaited = false): void {
    for (const frame of frames) {
      if (!(frame instanceof LoggedFrame)) continue;
      this.#tally.delivered += 1;
      if (hasWaited) this.#parts.metrics.waited(frame.record.appendedAt);
    }
    this.transport.write(frames);
  }

  /** The socket takes bytes again. */
  drained(): void {
    // What a stream that is behind reads on has waited in the window.
    this.flush(this.isLive);
  }

  /** The socket is gone. */
  closed(): void {
    if (this.#isHere) this.#leaveAll(this.#state === 'leaving' ? 'draining' : 'gone');
    this.#state = 'closed';
  }

  stalled(): void {
    this.close('slow');
  }

  flooded(): void {
    this.close('flooding');
  }

  #leaveAll(reason: EndReason): void {
    this.#tally.closed[reason] += 1;
    this.#parts.onClose(this);
    this.#givePlaceBack();
  }

  #givePlaceBack(): void {
    if (!this.#hasPlace) return;
    this.#hasPlace = false;
    this.#parts.onLeave(this);
  }
}
