import type { Audience, DeliveryClass } from '@crossfade/protocol';

/** An opaque name of a position in the log. */
export type Cursor = string;

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
}

/** A message that the log has given its place. */
export interface LogRecord extends StampedMessage {
  readonly cursor: Cursor;
}

/**
 * A port: the ordered history of published messages. Every replica reads all of it, in the same order.
 * How much is kept for resume is not its concern but the window's.
 */
export interface MessageLog {
  /** Gives the message its place. It has one when the promise resolves, and a follower gets it soon. */
  append(message: StampedMessage): Promise<Cursor>;
  /** Where a reader that begins now begins. */
  head(): Promise<Cursor>;
  /** Hands on every record after `head`, one at a time: the next waits until `handle` is done. Once per log. */
  follow(handle: (record: LogRecord) => void | Promise<void>): void;
  /** Hands on what was appended, then stops. */
  close(): Promise<void>;
}
