import type { EncodingName, Frame } from './frame.js';

/** Sequences of frames that begin alike, as a tree. */
interface Sequences {
  bytes?: Buffer;
  readonly next: Map<Frame, Sequences>;
}

/**
 * One way in which bytes stand for frames. Each frame is encoded once, and connections that get the same frames in one
 * write share the same bytes.
 */
export class Encoding {
  /** What was joined in this turn of the event loop. */
  #sequences: Sequences | undefined;
  /** The last that was joined: most connections get the same as the one before. */
  #last: { readonly frames: readonly Frame[]; readonly bytes: Buffer } | undefined;

  constructor(
    readonly name: EncodingName,
    readonly encode: (frame: Frame) => Buffer,
  ) {}

  /** The bytes of all frames, one after the other. */
  join(frames: readonly Frame[]): Buffer {
    const [first] = frames;
    if (frames.length === 1 && first !== undefined) return this.#bytesOf(first);
    if (this.#last !== undefined && areSame(this.#last.frames, frames)) return this.#last.bytes;
    let sequence = this.#ofThisTurn();
    for (const frame of frames) {
      let next = sequence.next.get(frame);
      if (next === undefined) {
        next = { next: new Map() };
        sequence.next.set(frame, next);
      }
      sequence = next;
    }
    const bytes = (sequence.bytes ??= Buffer.concat(frames.map((frame) => this.#bytesOf(frame))));
    this.#last = { frames, bytes };
    return bytes;
  }

  #bytesOf(frame: Frame): Buffer {
    return (frame.encoded[this.name] ??= this.encode(frame));
  }

  #ofThisTurn(): Sequences {
    if (this.#sequences === undefined) {
      this.#sequences = { next: new Map() };
      setImmediate(() => (this.#sequences = this.#last = undefined));
    }
    return this.#sequences;
  }
}

const areSame = (one: readonly Frame[], other: readonly Frame[]): boolean =>
  one.length === other.length && one.every((frame, index) => frame === other[index]);
