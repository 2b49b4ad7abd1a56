import {
  encodeSseData,
  encodeWebSocketFrame,
  type ControlMessageOf,
  type ControlType,
  type Envelope,
} from '@crossfade/protocol';
import type { Cursor, LogRecord } from './log.js';

/**
 * A message encoded once per transport, on first use, and shared by every connection that gets it.
 */
export class Frame {
  #sse: string | undefined;
  #webSocket: string | undefined;

  constructor(
    readonly id: Cursor,
    readonly envelope: Envelope,
    /** Equal keys merge while they wait; undefined: it never merges. */
    readonly key: string | undefined,
  ) {}

  static of(record: LogRecord): Frame {
    return new Frame(record.cursor, record, record.delivery === 'invalidation' ? record.key : undefined);
  }

  /** A control message of one stream; `position` is that stream's. */
  static control<Type extends ControlType>(
    position: Cursor,
    type: Type,
    message: ControlMessageOf<Type>,
  ): Frame {
    return new Frame(position, { type, message }, undefined);
  }

  get sse(): string {
    return (this.#sse ??= encodeSseData(this.envelope));
  }

  get webSocket(): string {
    return (this.#webSocket ??= encodeWebSocketFrame(this.id, this.envelope));
  }
}
