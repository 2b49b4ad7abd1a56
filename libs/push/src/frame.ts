import {
  encodeSseData,
  encodeWebSocketFrame,
  type Audience,
  type ControlMessageOf,
  type ControlType,
  type Envelope,
} from '@crossfade/protocol';
import type { Cursor, LogRecord, Place } from './log.js';

/** A record of this many characters, or each further one, counts once in what a window holds. */
const UNIT = 4096;

/**
 * What goes over a wire. A logged message is encoded once per transport, on first use, and shared by every connection
 * that gets it.
 */
export abstract class Frame {
  #sse: string | undefined;
  #webSocket: string | undefined;

  /** `id` is undefined, and there is no envelope, in a sign of life that moves nothing. */
  protected constructor(
    readonly id: Cursor | undefined,
    readonly envelope: Envelope | undefined,
  ) {}

  /** The SSE `data`; undefined: none, only an id. */
  get sse(): string | undefined {
    return (this.#sse ??= this.envelope === undefined ? undefined : encodeSseData(this.envelope));
  }

  get webSocket(): string {
    return (this.#webSocket ??= encodeWebSocketFrame(this.id, this.envelope));
  }
}

/** A logged message. */
export class LoggedFrame extends Frame {
  declare readonly id: Cursor;
  declare readonly envelope: Envelope;
  /** What it takes of a window's capacity. */
  readonly weight: number;
  /** Characters. */
  readonly size: number;

  constructor(readonly record: LogRecord) {
    super(record.cursor, { type: record.type, message: record.message });
    this.size = this.sse?.length ?? 0;
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

  /** Equal keys merge while they wait; undefined: it never merges. */
  get key(): string | undefined {
    return this.record.delivery === 'invalidation' ? this.record.key : undefined;
  }
}

/** A message about one stream; `position` is that stream's. */
export class ControlFrame extends Frame {
  constructor(position: Cursor, { type, message }: ControlWord) {
    super(position, { type, message });
  }
}

/** Only a cursor, or nothing at all: a sign of life. */
export class MarkFrame extends Frame {
  constructor(head: Cursor | undefined) {
    super(head, undefined);
  }
}

/** A control message that waits to be said. */
export type ControlWord = {
  [Type in ControlType]: { readonly type: Type; readonly message: ControlMessageOf<Type> };
}[ControlType];
