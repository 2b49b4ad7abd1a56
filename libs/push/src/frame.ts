import { encodeSseData, type Audience, type ControlMessage, type Envelope } from '@crossfade/protocol';
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
  #data: string | undefined;
  /** Its bytes, once somebody has needed them. */
  readonly encoded: { [Name in EncodingName]?: Buffer } = {};

  /** A keep-alive has no envelope. */
  protected constructor(
    readonly id: Cursor | undefined,
    readonly envelope: Envelope | undefined,
  ) {}

  /** The envelope as JSON; undefined: there is none. */
  get data(): string | undefined {
    return (this.#data ??= this.envelope === undefined ? undefined : encodeSseData(this.envelope));
  }
}

/** A logged message. */
export class LoggedFrame extends Frame {
  declare readonly id: Cursor;
  declare readonly envelope: Envelope;
  /** An object of its own: a stream that kept the frame for it would keep the message in memory. */
  readonly position: Position;
  /** How much of a window's capacity it takes. */
  readonly weight: number;
  /** Characters. */
  readonly size: number;
  readonly keyHash: number;

  constructor(readonly record: LogRecord) {
    super(record.cursor, { type: record.type, message: record.message });
    this.position = { cursor: record.cursor, offset: record.offset };
    this.size = this.data?.length ?? 0;
    this.keyHash = hashKey(record.key);
    this.weight = 1 + Math.floor(this.size / UNIT);
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
  constructor(position: Cursor, { type, message }: ControlMessage) {
    super(position, { type, message });
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
