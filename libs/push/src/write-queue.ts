import { ControlFrame, LoggedFrame, MarkFrame, type ControlWord, type Frame } from './frame.js';
import type { Position } from './log.js';

/**
 * How a stream gets its records.
 * - `live`: the hub offers them.
 * - `behind`: it reads on from its position, in the window, until it has caught up.
 * - `resyncing`: of what it missed, it reads only the critical records, up to `until`; then it is behind from there.
 */
export type Reading =
  | { readonly name: 'live' }
  | { readonly name: 'behind' }
  | { readonly name: 'resyncing'; readonly until: Position };

/** What a stream that is behind reads from: the window, seen by its audiences. */
export interface Source {
  /** Whether everything after `position` is held; `critical`: every critical record. */
  covers(position: Position, only?: 'critical'): boolean;
  after(position: Position, only?: 'critical'): Iterable<LoggedFrame>;
  /** The last record that was handed over: nothing behind it is read. */
  readonly head: Position;
}

export interface QueueLimits {
  /** Messages that wait. */
  readonly messages: number;
  /** Characters that wait; one message may be larger. */
  readonly characters: number;
}

/** What most queues hold most of the time, shared by all; never added to. */
const NOTHING: never[] = [];
const LIVE: Reading = { name: 'live' };
const BEHIND: Reading = { name: 'behind' };

/** Records that one piece of reading looks at, for each that may wait: most are merged, or of other types. */
const LOOKED_AT = 16;

/**
 * The bounded queue between the hub and a socket that may be slow, and the position of its stream. Pure: it knows no
 * socket, no timer and no hub.
 * A message equal to one that waits takes its place at the end, so that its cursor stays in order.
 */
export class WriteQueue {
  #words: readonly ControlWord[] = NOTHING;
  /** Few, so that looking at each is cheaper than a map, for this queue and for ten thousand empty ones. */
  #waiting: LoggedFrame[] = NOTHING;
  #mark: Position | undefined;
  #characters = 0;
  #reading: Reading;
  #position: Position;
  /**
   * How far the window has been read; ahead of the position while what was read waits. Undefined: the stream is live, and
   * has been handed all that it read.
   */
  #read: Position | undefined;

  constructor(
    private readonly limits: QueueLimits,
    position: Position,
    reading: 'live' | 'behind',
    /** Counts what was merged. */
    private readonly tally: { merged: number } = { merged: 0 },
  ) {
    this.#position = position;
    this.#read = position;
    this.#reading = reading === 'live' ? LIVE : BEHIND;
  }

  /** What the stream was last handed, and may come back with. */
  get position(): Position {
    return this.#position;
  }

  get reading(): Reading['name'] {
    return this.#reading.name;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#words.length === 0 && this.#mark === undefined;
  }

  /** Messages that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** A message about the stream itself; it goes out next. */
  say(word: ControlWord): void {
    this.#words = [...this.#words, word];
  }

  /**
   * `full`: it does not fit; nothing was changed. `behind`: the stream is not live, and will read it in the window.
   */
  offer(frame: LoggedFrame): 'queued' | 'merged' | 'full' | 'behind' {
    return this.#reading.name === 'live' ? this.#enqueue(frame) : 'behind';
  }

  /** Forgets what waits and keeps only the position: what comes is read from the window. */
  fallBehind(): void {
    this.#forget();
    this.#reading = BEHIND;
  }

  /** What was missed cannot be replayed: critical records are read on from `from`, everything from `until` on. */
  resync(from: Position, until: Position): void {
    this.#forget();
    this.#position = from;
    this.#read = from;
    this.#reading = { name: 'resyncing', until };
  }

  /** Moves a stream on that is live and has nothing waiting. */
  moveTo(head: Position): void {
    this.#position = head;
  }

  /**
   * Reads a piece of what was missed, as much as may wait. Only while nothing waits.
   * `gap`: some of it is no longer held. `wanted` tells the types that the stream asked for.
   */
  readOn(source: Source, wanted: (frame: LoggedFrame) => boolean): 'live' | 'more' | 'gap' {
    const reading = this.#reading;
    if (reading.name === 'live') return 'live';
    const only = reading.name === 'resyncing' ? ('critical' as const) : undefined;
    const end = reading.name === 'resyncing' ? reading.until : source.head;
    const from = this.#read ?? this.#position;
    if (!source.covers(from, only)) return 'gap';
    let looks = this.limits.messages * LOOKED_AT;
    for (const frame of source.after(from, only)) {
      if (frame.place > end.place) break;
      if (looks-- === 0 || (wanted(frame) && this.#enqueue(frame) === 'full')) return 'more';
      this.#read = frame.position;
    }
    this.#read = end;
    if (reading.name === 'behind') {
      this.#reading = LIVE;
      return 'live';
    }
    this.#reading = BEHIND;
    this.#mark = end;
    return 'more';
  }

  /** What goes out now: words first, then what waits, until it is `characters` long or all. */
  take(characters = Infinity): readonly Frame[] {
    const frames: Frame[] = this.#takeWaiting(characters);
    const last = frames.at(-1);
    if (this.#words.length > 0) {
      // They were said at the position that the stream had before.
      const { cursor } = this.#position;
      frames.unshift(...this.#words.map((word) => new ControlFrame(cursor, word)));
      this.#words = NOTHING;
    }
    if (last instanceof LoggedFrame) this.#position = last.position;
    if (this.#waiting.length > 0) return frames;
    if (this.#mark !== undefined) {
      frames.push(new MarkFrame(this.#mark));
      this.#mark = undefined;
    }
    if (this.#read !== undefined) {
      // What was read and not wanted is behind the stream as well.
      if (this.#read.place > this.#position.place) this.#position = this.#read;
      if (this.#reading.name === 'live') this.#read = undefined;
    }
    return frames;
  }

  #takeWaiting(characters: number): LoggedFrame[] {
    const waiting = this.#waiting;
    if (this.#characters <= characters) {
      this.#waiting = NOTHING;
      this.#characters = 0;
      // What is given away may be added to.
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

  #enqueue(frame: LoggedFrame): 'queued' | 'merged' | 'full' {
    const waiting = this.#waiting;
    if (waiting.length === 0) {
      this.#waiting = [frame];
      this.#characters = frame.size;
      return 'queued';
    }
    const at = waiting.findIndex((one) => one.equals(frame));
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

  #forget(): void {
    this.#waiting = NOTHING;
    this.#characters = 0;
    this.#mark = undefined;
    this.#read = this.#position;
  }
}
