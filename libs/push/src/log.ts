import type { Audience, DeliveryClass } from '@crossfade/protocol';
import type { OwnerId } from './principal.js';

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
  /** The message with its type, as the JSON that goes over the wire. */
  readonly data: string;
  readonly audience: readonly Audience[];
  readonly delivery: DeliveryClass;
  /** Invalidations with equal keys are equal; the type is part of it. Without a key, those with equal `data` are. */
  readonly key?: string;
  /** What it changes about connections; perhaps of a kind that only newer replicas know. */
  readonly effect?: { readonly kind: string };
  /** Names it where it was recorded with the change that it tells of. A conflated message stands for several. */
  readonly recordIds?: readonly string[];
  /** The stream whose client made the change, and the stream's owner: it need not hear of the change. */
  readonly madeBy?: { readonly connection: string; readonly owner: OwnerId };
  /** Of the request that published it (W3C Trace Context). */
  readonly traceparent?: string;
}

/** A message that the log has given its offset. */
export interface LogRecord extends StampedMessage, Position {
  /** What clients know it by, if not by its cursor: it was in a log that is lost, and was appended again. */
  readonly id?: Cursor;
  /** Milliseconds since 1970. */
  readonly publishedAt: number;
  /** When this process appended it, by `Clock.elapsed`; delays are measured from it. Absent where another process did. */
  readonly appendedAt?: number;
}

/** What a reader that begins now knows of the log. */
export interface LogStart {
  /** Where it begins: it gets every record after this. */
  readonly head: Position;
  /** Records up to it that are retained, oldest first. */
  readonly records: readonly LogRecord[];
  /** Where the log begins. What was before it is lost, except critical records. */
  readonly beginning: Position;
  /** The last record that was dropped; where none was, the log's beginning. Critical ones are retained longer. */
  readonly floor: Position;
  /** The last critical record that was dropped. */
  readonly criticalFloor: Position;
}

/**
 * Why records are missing. `trimmed`: the follower was away for so long that the log dropped them. All others: the log
 * itself lost some.
 */
export type HoleKind = 'trimmed' | 'flushed' | 'replaced' | 'went_back' | 'broken';

/** Between two records, some may be missing for this follower. */
export interface Hole {
  readonly kind: HoleKind;
  /** Where the follower goes on. Cursors from before it no longer resume. */
  readonly position: Position;
  /** The critical ones among them, oldest first, and perhaps some that the follower has already. */
  readonly criticals: readonly LogRecord[];
  /** Whether no critical one is missing. */
  readonly isComplete: boolean;
}

/** Who reads the log. It gets one thing at a time: the next waits until the promise resolves. */
export interface Follower {
  record(record: LogRecord): void | Promise<void>;
  hole(hole: Hole): void | Promise<void>;
}

/** How far a follower is behind the log's head, as it was known last. */
export interface Lag {
  readonly records: number;
  /** How long ago the record after the last one was appended; 0 if there is none. */
  readonly seconds: number;
}

/**
 * A port: the ordered history of published messages. Every replica reads all of it, in the same order.
 * How much is retained for resume is the window's concern.
 */
export interface MessageLog {
  /**
   * Gives the message its offset, which it has when the promise resolves; a follower gets it soon. Those of one turn of the event
   * loop come in the order in which they were appended, and none of them behind one that fails. Undefined: the log has had it.
   */
  append(message: StampedMessage): Promise<Cursor | undefined>;
  /** Begins to read. Call it once, before `follow`. */
  open(): Promise<LogStart>;
  /** The offset that a cursor names; `lost`: the cursor is of a log that no longer exists; `unknown`: it is no cursor. */
  locate(cursor: Cursor): Offset | 'lost' | 'unknown';
  /** The offset of the last record that was appended: the follower may not have got it yet. */
  newest(): Promise<Offset>;
  /** Hands on every record after the start, and every hole between them. Call it once. */
  follow(follower: Follower): void;
  /** What this process has not handed on yet. */
  readonly lag: Lag;
  /** Hands on what was appended, then stops. */
  close(): Promise<void>;
}
