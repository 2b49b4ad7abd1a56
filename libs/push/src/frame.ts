import { encodeSseData, type Audience, type ControlMessage } from '@crossfade/protocol';
import type { Cursor, LogRecord, Offset, Position } from './log.js';
import { hashKey } from './merge.js';

/** A record of this many characters, or each further one, counts once in what a window holds. */
const UNIT = 4096;

/** The kinds of wire: an event stream, one in HTTP/1.1 chunks, WebSocket. */
export type EncodingName = 'sse' | 'sse-chunks' | 'websocket';

/**
 * What goes over a wire. A logged message is encoded once for each kind of wire, and every connection that gets it shares
 * its bytes.
 */
export abstract class Frame {
  /** Its bytes, once somebody has needed them. */
  readonly encoded: { [Name in EncodingName]?: Buffer } = {};

  protected constructor(
    readonly id: Cursor | undefined,
    /** The envelope as JSON; undefined: it is a keep-alive. */
    readonly data: string | undefined,
  ) {}
}

/** A logged message. */
export class LoggedFrame extends Frame {
  declare readonly id: Cursor;
  declare readonly data: string;
  /** An object of its own: a stream that kept the frame for it would keep the message in memory. */
  readonly position: Position;
  /** How much of a window's capacity it takes. */
  readonly weight: number;
  #keyHash: number | undefined;

  constructor(readonly record: LogRecord) {
    super(record.id ?? record.cursor, record.data);
    this.position = { cursor: record.cursor, offset: record.offset };
    this.weight = 1 + Math.floor(this.size / UNIT);
  }

  /** Characters. */
  get size(): number {
    return this.data.length;
  }

  get key(): string {
    return this.record.key ?? this.data;
  }

  /** Of the key. It is computed once somebody needs it: most replicas have nobody for most records. */
  get keyHash(): number {
    return (this.#keyHash ??= hashKey(this.key));
  }

  get cursor(): Cursor {
    return this.record.cursor;
  }

  get offset(): Offset {
    return this.record.offset;
  }

  get audience(): readonly Audience[] {
    return this.record.audience;
  }
}

/** A message about one stream; `position` is that stream's. */
export class ControlFrame extends Frame {
  declare readonly data: string;

  constructor(
    position: Cursor,
    readonly message: ControlMessage,
  ) {
    super(position, encodeSseData(message));
  }
}

/** A keep-alive that moves the stream on to a position. */
export class PositionFrame extends Frame {
  constructor(readonly position: Position) {
    super(position.cursor, undefined);
  }
}

/** A keep-alive that carries no position. */
export class KeepAliveFrame extends Frame {
  constructor() {
    super(undefined, undefined);
  }
}
