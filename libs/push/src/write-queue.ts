import type { ControlMessage } from '@crossfade/protocol';
import { ControlFrame, LoggedFrame, PositionFrame, type Frame } from './frame.js';
import type { Position } from './log.js';
import { canMerge } from './merge.js';

export interface QueueLimits {
  /** Messages that wait. */
  readonly messages: number;
  /** Characters that wait. One message may be larger. */
  readonly characters: number;
}

/** What most queues hold most of the time. All share it, and nothing is added to it. */
const NOTHING: never[] = [];

/**
 * The bounded queue between the hub and a socket that may be slow, and the position of its stream. Pure: it knows no
 * socket, no timer and no hub.
 * An equal message that waits is merged into a later one, which waits at the end, so that cursors stay in order.
 */
export class WriteQueue {
  #controls: readonly ControlMessage[] = NOTHING;
  /** Few, so that looking at each is cheaper than a map, for this queue and for ten thousand empty ones. */
  #waiting: LoggedFrame[] = NOTHING;
  #characters = 0;
  /** What the stream was last handed. */
  #position: Position;
  /** The position once everything that waits was taken; undefined: that of the last message. */
  #next: Position | undefined;
  /** Whether the client is told of `#next` by a frame of its own. */
  #isNextSent = false;

  constructor(
    readonly limits: QueueLimits,
    position: Position,
    /** Counts merges. */
    private readonly tally: { merged: number },
  ) {
    this.#position = position;
  }

  /** What the stream was last handed, and may come back with. */
  get position(): Position {
    return this.#position;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#controls.length === 0 && !this.#isNextSent;
  }

  /** Messages that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** A control message goes out next, before all that waits. */
  enqueueControl(message: ControlMessage): void {
    this.#controls = [...this.#controls, message];
  }

  /** `full`: the frame does not fit; nothing was changed. */
  enqueue(frame: LoggedFrame): 'queued' | 'merged' | 'full' {
    const waiting = this.#waiting;
    if (waiting.length === 0) {
      this.#waiting = [frame];
      this.#characters = frame.size;
      return 'queued';
    }
    const at = waiting.findIndex((one) => canMerge(one, frame));
    const characters = this.#characters + frame.size - (waiting[at]?.size ?? 0);
    const others = at === -1 ? waiting.length : waiting.length - 1;
    if (others >= this.limits.messages || (others > 0 && characters > this.limits.characters)) return 'full';
    if (at !== -1) {
      waiting.splice(at, 1);
      this.tally.merged += 1;
    }
    waiting.push(frame);
    this.#characters = characters;
    return at === -1 ? 'queued' : 'merged';
  }

  /** Drops the messages that wait, and keeps the position. */
  clear(): void {
    this.#waiting = NOTHING;
    this.#characters = 0;
    this.#next = undefined;
    this.#isNextSent = false;
  }

  /** Sets the position of a stream that has no message waiting. */
  moveTo(position: Position): void {
    this.#position = position;
  }

  /** Its client does not get the message there, which must not hold the position back. */
  passOver(position: Position): void {
    if (this.isEmpty) this.moveTo(position);
    else this.thenMoveTo(position, false);
  }

  /** Once everything that waits was taken, the position is at least this one. `send`: a frame tells the client. */
  thenMoveTo(position: Position, send: boolean): void {
    this.#next = position;
    this.#isNextSent = send;
  }

  /** What goes out now: control messages first, then what waits, until it is `characters` long or all. */
  take(characters = Infinity): readonly Frame[] {
    const frames: Frame[] = this.#takeWaiting(characters);
    const last = frames.at(-1);
    if (this.#controls.length > 0) {
      // They carry the position that the stream had before.
      const { cursor } = this.#position;
      frames.unshift(...this.#controls.map((message) => new ControlFrame(cursor, message)));
      this.#controls = NOTHING;
    }
    if (last instanceof LoggedFrame) this.#position = last.position;
    if (this.#waiting.length === 0 && this.#next !== undefined) this.#reachNext(this.#next, frames);
    return frames;
  }

  #reachNext(next: Position, frames: Frame[]): void {
    if (this.#isNextSent) frames.push(new PositionFrame(next));
    if (next.offset > this.#position.offset) this.#position = next;
    this.#next = undefined;
    this.#isNextSent = false;
  }

  #takeWaiting(characters: number): LoggedFrame[] {
    const waiting = this.#waiting;
    if (this.#characters <= characters) {
      this.#waiting = NOTHING;
      this.#characters = 0;
      // The caller may add to what it gets.
      return waiting === NOTHING ? [] : waiting;
    }
    let count = 0;
    for (let taken = 0; taken < characters; count += 1) {
      const size = waiting[count]?.size ?? 0;
      taken += size;
      this.#characters -= size;
    }
    return waiting.splice(0, count);
  }
}
