import { ControlFrame, MarkFrame, type ControlWord, type Frame, type LoggedFrame } from './frame.js';
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

/** Records that one piece of reading looks at, for each that may wait: most are merged, or of other types. */
const LOOKED_AT = 16;

/**
 * The bounded queue between the hub and a socket that may be slow, and the position of its stream. Pure: it knows no
 * socket, no timer and no hub.
 * A message equal to one that waits takes its place at the end, so that its cursor stays in order.
 */
export class WriteQueue {
  readonly #words: ControlWord[] = [];
  readonly #waiting = new Map<string | symbol, LoggedFrame>();
  #mark: Position | undefined;
  #characters = 0;
  #reading: Reading;
  #position: Position;
  /** How far the window has been read; ahead of the position while what was read waits. */
  #read: Position;

  constructor(
    private readonly limits: QueueLimits,
    position: Position,
    reading: 'live' | 'behind',
  ) {
    this.#position = position;
    this.#read = position;
    this.#reading = { name: reading };
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
    return this.#waiting.size === 0 && this.#words.length === 0 && this.#mark === undefined;
  }

  /** Messages that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** A message about the stream itself; it goes out next. */
  say(word: ControlWord): void {
    this.#words.push(word);
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
    this.#reading = { name: 'behind' };
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
    if (!source.covers(this.#read, only)) return 'gap';
    let looks = this.limits.messages * LOOKED_AT;
    for (const frame of source.after(this.#read, only)) {
      if (frame.place > end.place) break;
      if (looks-- === 0 || (wanted(frame) && this.#enqueue(frame) === 'full')) return 'more';
      this.#read = positionOf(frame);
    }
    this.#read = end;
    if (reading.name === 'behind') {
      this.#reading = { name: 'live' };
      return 'live';
    }
    this.#reading = { name: 'behind' };
    this.#mark = end;
    return 'more';
  }

  /** What goes out now: words first, then what waits, until it is `characters` long or all. */
  take(characters = Infinity): Frame[] {
    const frames: Frame[] = this.#words
      .splice(0)
      .map((word) => new ControlFrame(this.#position.cursor, word));
    let taken = 0;
    let last: LoggedFrame | undefined;
    for (const [place, frame] of this.#waiting) {
      if (taken >= characters) break;
      taken += frame.size;
      this.#waiting.delete(place);
      this.#characters -= frame.size;
      frames.push(frame);
      last = frame;
    }
    if (last !== undefined) this.#position = positionOf(last);
    if (this.#waiting.size > 0) return frames;
    if (this.#mark !== undefined) {
      frames.push(new MarkFrame(this.#mark.cursor));
      this.#mark = undefined;
    }
    // What was read and not wanted is behind the stream as well.
    if (this.#read.place > this.#position.place) this.#position = this.#read;
    return frames;
  }

  #enqueue(frame: LoggedFrame): 'queued' | 'merged' | 'full' {
    const place = frame.key ?? Symbol();
    const equal = this.#waiting.get(place);
    const characters = this.#characters + frame.size - (equal?.size ?? 0);
    const isTooMuch =
      (equal === undefined && this.#waiting.size >= this.limits.messages) ||
      (characters > this.limits.characters && this.#waiting.size > (equal === undefined ? 0 : 1));
    if (isTooMuch) return 'full';
    this.#waiting.delete(place);
    this.#waiting.set(place, frame);
    this.#characters = characters;
    return equal === undefined ? 'queued' : 'merged';
  }

  #forget(): void {
    this.#waiting.clear();
    this.#characters = 0;
    this.#mark = undefined;
    this.#read = this.#position;
  }
}

/** A copy: a stream that kept the frame would keep its message in memory. */
const positionOf = ({ cursor, place }: LoggedFrame): Position => ({ cursor, place });
