import { closeTable, type CloseReason, type ControlMessage } from '@crossfade/protocol';
import { audiencesOf } from './audience.js';
import { enqueueOrFlush, WRITE_CHARACTERS } from './backpressure.js';
import { fallBehind, LIVE, readCriticals, readOn, type History, type Reading } from './catch-up.js';
import type { Tenths } from './clock.js';
import type { ConnectionInit } from './connection-init.js';
import { isHere, isOpen, next, type ConnectionEvent, type ConnectionState } from './connection-state.js';
import { CLOSE_TIMEOUT_MS } from './deadline.js';
import type { Environment } from './environment.js';
import { KeepAliveFrame, LoggedFrame, type Frame, type PositionFrame } from './frame.js';
import type { ConnectionId } from './lease.js';
import type { Position } from './log.js';
import type { EndReason, StreamTally } from './metrics.js';
import { isOwnChange } from './own-change.js';
import type { Principal } from './principal.js';
import type { ResyncReason } from './resume.js';
import { resyncMessage } from './resync.js';
import type { CatchUpScheduler, FlushScheduler } from './schedulers.js';
import type { Transport, TransportEvents } from './transport.js';
import { WriteQueue, type QueueLimits } from './write-queue.js';

const keepAliveFrame = new KeepAliveFrame();
const NOWHERE: readonly string[] = [];

/** What all connections share. */
export interface ConnectionParts {
  /** Of each write queue. */
  readonly limits: QueueLimits;
  readonly history: History;
  readonly flushes: FlushScheduler;
  readonly catchUp: CatchUpScheduler;
  readonly environment: Environment;
  /** Called once for each connection: its lease counts no more. */
  readonly releaseLease: (connection: Connection) => void;
  /** Called once for each connection, before anything else of its end: remove it from the hub. */
  readonly onClose: (connection: Connection) => void;
}

/** One open stream of one principal, SSE or WebSocket. There are very many, so each holds little. */
export class Connection implements TransportEvents {
  readonly id: ConnectionId;
  readonly transport: Transport;
  readonly client: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
  /** The organizations whose messages it gets. The hub changes it. */
  readonly organizationIds: Set<string>;
  /** Counts the changes of its memberships: an answer about it that was asked for before the last one is out of date. */
  revision = 0;
  /** When its rights were last known. */
  confirmedAt: Tenths;
  #left = NOWHERE;
  readonly #parts: ConnectionParts;
  /** The principal, but for what changes. */
  readonly #identity: Omit<Principal, 'organizationIds'>;
  readonly #queue: WriteQueue;
  #reading: Reading;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #knowsResync: boolean;
  readonly #tally: StreamTally;
  #state: ConnectionState = 'open';
  #isFlushScheduled = false;
  #hasLease = true;

  constructor(init: ConnectionInit, parts: ConnectionParts) {
    const { organizationIds, ...identity } = init.principal;
    this.#parts = parts;
    this.#identity = identity;
    this.id = init.id;
    this.transport = init.transport;
    this.client = init.client;
    this.organizationIds = new Set(organizationIds);
    this.openedAt = parts.environment.clock.now();
    this.confirmedAt = init.confirmedAt;
    this.#types = init.types;
    this.#knowsResync = init.knowsResync;
    this.#tally = init.tally;
    this.#queue = new WriteQueue(parts.limits, init.position, init.tally);
    this.#reading = init.begins === 'live' ? LIVE : fallBehind(this.#queue);
    this.transport.listen(this);
  }

  get principal(): Principal {
    return { ...this.#identity, organizationIds: this.organizationIds };
  }

  /** What the stream was last handed. */
  get position(): Position {
    return this.#queue.position;
  }

  /** Whether it is delivered to at once, or reads on from the window. */
  get isLive(): boolean {
    return this.#reading.name === 'live';
  }

  /** Messages that wait for the socket. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Whether it has not released its lease: a draining one has. */
  get hasLease(): boolean {
    return this.#hasLease;
  }

  /** It has passed by what is for this organization. If it turns out to have it after all, its client refetches. */
  refetchIfStillIn(organizationId: string): void {
    this.#left = [...this.#left, organizationId];
  }

  /**
   * Its rights are known as of then. `hasMissed`: it has memberships that no message told of, so what its client holds is
   * stale, and nobody knows since when. A suspended stream ends all the same.
   */
  confirm(at: Tenths, hasMissed = false): void {
    if (this.#state === 'suspended') return;
    this.confirmedAt = at;
    const isBack = this.#left.some((id) => this.organizationIds.has(id));
    // Critical messages may have been among what it did not get then.
    if (hasMissed || isBack) this.resyncOrClose('gap', !isBack);
    this.#left = NOWHERE;
  }

  /** Delivers a logged message. What arrives in one turn of the event loop goes out in one write. */
  deliver(frame: LoggedFrame): void {
    if (!isOpen(this.#state)) return;
    if (!this.wants(frame)) return this.isLive ? this.#queue.passOver(frame.position) : undefined;
    if (this.isLive && enqueueOrFlush(this.#queue, frame, this) === 'full') {
      this.#tally.fellBehind += 1;
      this.#reading = fallBehind(this.#queue);
      return;
    }
    this.#scheduleFlush();
  }

  /** Sends a message about the stream itself. */
  control(message: ControlMessage): void {
    if (!isOpen(this.#state)) return;
    this.#queue.enqueueControl(message);
    this.#scheduleFlush();
  }

  /** In the middle of the stream: something was missed that cannot be replayed. `mayBeComplete`: as `resync`. */
  resyncOrClose(reason: ResyncReason, mayBeComplete = true): void {
    if (!isOpen(this.#state)) return;
    if (this.#knowsResync) return this.resync(reason, mayBeComplete);
    this.#tally.resyncs[reason] += 1;
    this.close('stale');
  }

  /**
   * Tells the client to refetch: the window no longer holds what it missed after its position, but for critical messages,
   * which still come. `mayBeComplete`: false if nobody can say that those are all, whatever the window holds.
   */
  resync(reason: ResyncReason, mayBeComplete = true): void {
    if (!isOpen(this.#state)) return;
    this.#tally.resyncs[reason] += 1;
    const { history, environment } = this.#parts;
    const { reading, isComplete } = readCriticals(this.#queue, history, audiencesOf(this.principal));
    this.#reading = reading;
    this.control(resyncMessage(reason, isComplete && mayBeComplete, environment.random));
  }

  /** Writes a keep-alive, if nothing waits. `head`, the log's, moves a live stream on. */
  keepAlive(head: PositionFrame): void {
    if (!isOpen(this.#state) || !this.#queue.isEmpty) return;
    if (this.transport.pendingBytes > 0 || !this.transport.writable) return;
    if (this.isLive) this.#queue.moveTo(head.position);
    this.transport.write([this.isLive ? head : keepAliveFrame]);
  }

  /** Reads a piece of what it missed. Returns whether it could go on at once. */
  readOn(): boolean {
    if (!isOpen(this.#state) || this.#reading.name === 'live' || !this.#queue.isEmpty) return false;
    const audiences = audiencesOf(this.principal);
    const reading = readOn(this.#reading, this.#queue, this.#parts.history, audiences, this);
    if (reading === 'gap') this.resyncOrClose('lagging');
    else this.#reading = reading;
    if (reading === LIVE) this.#tally.caughtUp += 1;
    this.#write();
    return isOpen(this.#state) && !this.isLive && this.transport.writable;
  }

  /**
   * Tells the client to open its next stream after `delayMs`, and releases the lease. The stream goes on until the next
   * one replaces it, or until `delayMs` and a second have passed.
   */
  drain(delayMs: number): void {
    // A suspended stream may not be told anything, so it ends at once.
    if (this.#state === 'suspended') return this.close('unconfirmed');
    if (!this.#enter('drain')) return;
    this.control({ type: 'Reconnect', message: { delay_ms: delayMs } });
    this.#releaseLease();
    this.#parts.environment.clock.after(delayMs + CLOSE_TIMEOUT_MS, () => this.close('draining'));
  }

  /** Hands it nothing more: what waits and what comes is for the next stream, which begins where this one was. */
  suspend(): void {
    if (!this.#enter('suspend')) return;
    this.#reading = fallBehind(this.#queue);
  }

  /**
   * The one way out, whatever ends the stream. Safe to call twice. `why` is the reason in a `Revoked`, which is sent only
   * if the socket takes bytes now. The socket is destroyed a second later.
   */
  close(reason: CloseReason, why = 'You may not stay connected.'): void {
    if (!this.#enter('close')) return;
    this.#end(reason);
    if (this.transport.writable) {
      if (closeTable[reason].control === 'Revoked') {
        this.#queue.enqueueControl({ type: 'Revoked', message: { reason: why } });
      }
      const last = this.#queue.take(WRITE_CHARACTERS);
      if (last.length > 0) this.#hand(last);
    }
    this.transport.end(reason);
    this.#parts.environment.clock.after(CLOSE_TIMEOUT_MS, () => {
      if (this.#state === 'closing') this.transport.destroy();
    });
  }

  /** Whether the event changed the state. */
  #enter(event: ConnectionEvent): boolean {
    const state = next(this.#state, event);
    this.#state = state ?? this.#state;
    return state !== undefined;
  }

  /** Whether its client asked for messages of this type, and did not make the change itself. */
  wants({ record }: LoggedFrame): boolean {
    return (this.#types?.has(record.type) ?? true) && !isOwnChange(record, this);
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#parts.flushes.add(this);
  }

  /** Writes what waits, as far as the socket takes it. `hasWaited`: for the socket, not only for this turn's end. */
  flush(hasWaited = false): void {
    this.#isFlushScheduled = false;
    this.#write(hasWaited);
    if (isOpen(this.#state) && !this.isLive && this.transport.writable) this.#parts.catchUp.add(this);
  }

  #write(hasWaited = false): void {
    while (isOpen(this.#state) && !this.#queue.isEmpty && this.transport.writable) {
      this.#hand(this.#queue.take(WRITE_CHARACTERS), hasWaited);
    }
  }

  #hand(frames: readonly Frame[], hasWaited = false): void {
    for (const frame of frames) {
      if (!(frame instanceof LoggedFrame)) continue;
      this.#tally.delivered += 1;
      if (hasWaited) this.#parts.environment.metrics.waited(frame.record.appendedAt);
    }
    this.transport.write(frames);
  }

  /** The socket takes bytes again. */
  writable(): void {
    // What a stream that is behind reads on has waited in the window.
    this.flush(this.isLive);
  }

  /** The socket is gone. */
  closed(): void {
    if (isHere(this.#state)) this.#end(this.#state === 'draining' ? 'draining' : 'gone');
    this.#enter('disconnect');
  }

  #end(reason: EndReason): void {
    this.#tally.closed[reason] += 1;
    this.#parts.onClose(this);
    this.#releaseLease();
  }

  #releaseLease(): void {
    if (!this.#hasLease) return;
    this.#hasLease = false;
    this.#parts.releaseLease(this);
  }
}
