import type { Cursor, Position, StampedMessage } from './log.js';

/** A message that was recorded with the change that it tells of. */
export interface JournalEntry {
  readonly recordId: string;
  readonly message: StampedMessage;
  /** Milliseconds since 1970. */
  readonly publishedAt: number;
  /** Its cursor; undefined: it is in no log yet. */
  readonly cursor: Cursor | undefined;
}

export interface OpenJournal {
  /** Names the log: the same at every start on the same store, eight letters of base64url. */
  readonly log: string;
  /** How often the log has been opened, this time included. */
  readonly generation: number;
  /** The cursor of the last record that was dropped; undefined: none was. */
  readonly floor: Cursor | undefined;
  /** In the order in which they were recorded. */
  readonly entries: readonly JournalEntry[];
}

/**
 * A port: where critical messages survive the process that was to deliver them. A program that changes data records them in
 * the same transaction, and hands them to the publisher once it is committed. For the log of one process.
 */
export interface Journal {
  open(): Promise<OpenJournal>;
  /** Notes the position of a recorded message. The message is handed on after it, so that a repeat has the same id. */
  recordPosition(recordId: string, position: Position): Promise<void>;
}

/**
 * A port, for a log that replicas share: all messages are recorded with their change, critical or not, and survive until
 * the log has them. Critical ones stay for their retention, to refill a log that was lost.
 */
export interface SharedJournal {
  /**
   * Records the position of a critical message, unless it has one. Returns the cursor of the first, by which clients know the
   * message; undefined: the message is recorded no more.
   */
  recordFirstPosition(recordId: string, position: Position): Promise<Cursor | undefined>;
  /** The newest critical messages that are retained, at most so many, in the order in which they were recorded. */
  criticals(most: number): Promise<readonly JournalEntry[]>;
  /** Removes messages that are not critical: the log has them. */
  remove(recordIds: readonly string[]): Promise<void>;
}
