import {
  encodeSseData,
  type Audience,
  type ControlMessageOf,
  type ControlType,
  type Envelope,
} from '@crossfade/protocol';
import type { Encoding, EncodingName } from './encoding.js';
import type { Cursor, LogRecord, Place, Position } from './log.js';

/** A record of this many characters, or each further one, counts once in what a window holds. */
const UNIT = 4096;

/**
 * What goes over a wire. A logged message is encoded once for each kind of wire, and its bytes are shared by every
 * connection that gets it.
 */
export abstract class Frame {
  #data: string | undefined;
  readonly #bytes: { [Name in EncodingName]?: Buffer } = {};

  /** There is no envelope in a sign of life. */
  protected constructor(
    readonly id: Cursor | undefined,
    readonly envelope: Envelope | undefined,
  ) {}

  /** The envelope as JSON; undefined: there is none. */
  get data(): string | undefined {
    return (this.#data ??= this.envelope === undefined ? undefined : encodeSseData(this.envelope));
  }

  bytes({ name, encode }: Encoding): Buffer {
    return (this.#bytes[name] ??= encode(this));
  }
}

/** A logged message. */
export class LoggedFrame extends Frame {
  declare readonly id: Cursor;
  declare readonly envelope: Envelope;
  /** Apart from the frame: a stream that kept that would keep its message in memory. */
  readonly position: Position;
  /** What it takes of a window's capacity. */
  readonly weight: number;
  /** Characters. */
  readonly size: number;
  /** Of its key: most that are compared differ. */
  readonly hash: number;

  constructor(readonly record: LogRecord) {
    super(record.cursor, { type: record.type, message: record.message });
    this.position = { cursor: record.cursor, place: record.place };
    this.size = this.data?.length ?? 0;
    this.hash = hashOf(record.key);
    this.weight = 1 + Math.floor(this.size / UNIT);
  }

  get cursor(): Cursor {
    return this.record.cursor;
  }

  get place(): Place {
    return this.record.place;
  }

  get audience(): readonly Audience[] {
    return this.record.audience;
  }

  /** Whether one of the two, while it waits, says all that the other does. */
  equals({ record, hash }: LoggedFrame): boolean {
    return (
      this.hash === hash &&
      this.record.delivery === 'invalidation' &&
      record.delivery === 'invalidation' &&
      this.record.key === record.key
    );
  }
}

/** FNV-1a (RFC 9923), of UTF-16 code units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash;
}

/** A message about one stream; `position` is that stream's. */
export class ControlFrame extends Frame {
  constructor(position: Cursor, { type, message }: ControlWord) {
    super(position, { type, message });
  }
}

/** A sign of life that carries a position. */
export class MarkFrame extends Frame {
  constructor(readonly position: Position) {
    super(position.cursor, undefined);
  }
}

/** A sign of life that moves nothing. */
export class StillFrame extends Frame {
  constructor() {
    super(undefined, undefined);
  }
}

/** A control message that waits to be said. */
export type ControlWord = {
  [Type in ControlType]: { readonly type: Type; readonly message: ControlMessageOf<Type> };
}[ControlType];
