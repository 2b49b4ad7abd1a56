import type { Audience, DeliveryClass } from '@crossfade/protocol';

/** An opaque name of a position in the log. */
export type Cursor = string;

/** Where a record stands in the log's order: later records have greater places. */
export type Place = bigint;

/** A cursor with its place. */
export interface Position {
  readonly cursor: Cursor;
  readonly place: Place;
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

/** A message that the log has given its place. */
export interface LogRecord extends StampedMessage, Position {
  /** Milliseconds since 1970. */
  readonly publishedAt: number;
  /** When this process took it in, by `Clock.elapsed`: what a delay is measured from. Not in what another process did. */
  readonly appendedAt?: number;
}

/** What a reader that begins now knows of the log. */
export interface LogStart {
  /** Where it begins: it gets every record after this. */
  readonly head: Position;
  /** Critical records from before it that are still kept, oldest first. */
  readonly criticals: readonly LogRecord[];
  /** The last critical record that is not kept any more; where none was dropped, the log's very beginning. */
  readonly criticalFloor: Position;
}

/**
 * A port: the ordered history of published messages. Every replica reads all of it, in the same order.
 * How much is kept for resume is not its concern but the window's.
 */
export interface MessageLog {
  /** Gives the message its place. It has one when the promise resolves, and a follower gets it soon. */
  append(message: StampedMessage): Promise<Cursor>;
  /** Begins to read. Once per log, before `follow`. */
  open(): Promise<LogStart>;
  /** The place that a cursor names; `lost`: it names a log that is gone; `unknown`: it is no cursor. */
  locate(cursor: Cursor): Place | 'lost' | 'unknown';
  /** Hands on every record after the start, one at a time: the next waits until `handle` is done. Once per log. */
  follow(handle: (record: LogRecord) => void | Promise<void>): void;
  /** Hands on what was appended, then stops. */
  close(): Promise<void>;
}
