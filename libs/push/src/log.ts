import type { Audience, DeliveryClass } from '@crossfade/protocol';

/** An opaque name of an offset in the log. */
export type Cursor = string;

/** Where a record is in the log's order: later records have greater offsets. */
export type Offset = bigint;

/** An offset with its cursor. */
export interface Position {
  readonly cursor: Cursor;
  readonly offset: Offset;
}

/** A message as the publisher stamped it. Readers of the log use the stamp, never a catalog of their own. */
export interface StampedMessage {
  readonly type: string;
  readonly message: unknown;
  readonly audience: readonly Audience[];
  readonly delivery: DeliveryClass;
  /** Invalidations with equal keys are equal; the type is part of it. */
  readonly key: string;
  /** What it changes about connections; perhaps of a kind that only newer replicas know. */
  readonly effect?: { readonly kind: string };
  /** Names it where it was recorded with the change that it tells of. */
  readonly recordId?: string;
}

/** A message that the log has given its offset. */
export interface LogRecord extends StampedMessage, Position {
  /** Milliseconds since 1970. */
  readonly publishedAt: number;
  /** When this process appended it, by `Clock.elapsed`; delays are measured from it. Absent where another process did. */
  readonly appendedAt?: number;
}

/** What a reader that begins now knows of the log. */
export interface LogStart {
  /** Where it begins: it gets every record after this. */
  readonly head: Position;
  /** Critical records from before it that are retained, oldest first. */
  readonly criticals: readonly LogRecord[];
  /** The last critical record that was dropped; where none was, the log's very beginning. */
  readonly criticalFloor: Position;
}

/**
 * A port: the ordered history of published messages. Every replica reads all of it, in the same order.
 * How much is retained for resume is the window's concern.
 */
export interface MessageLog {
  /** Gives the message its offset. It has one when the promise resolves, and a follower gets it soon. */
  append(message: StampedMessage): Promise<Cursor>;
  /** Begins to read. Call it once, before `follow`. */
  open(): Promise<LogStart>;
  /** The offset that a cursor names; `lost`: the cursor is of a log that no longer exists; `unknown`: it is no cursor. */
  locate(cursor: Cursor): Offset | 'lost' | 'unknown';
  /** Hands on every record after the start, one at a time: the next waits until `handle` is done. Call it once. */
  follow(handle: (record: LogRecord) => void | Promise<void>): void;
  /** Hands on what was appended, then stops. */
  close(): Promise<void>;
}
