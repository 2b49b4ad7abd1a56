import type { Cursor, Position, StampedMessage } from './log.js';

/** A message that was recorded with the change that it tells of. */
export interface JournalEntry {
  readonly message: StampedMessage & { readonly recordId: string };
  /** Milliseconds since 1970. */
  readonly publishedAt: number;
  /** Its cursor; undefined: the process ended before anyone was handed the message. */
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
 * the same transaction, and hands them to the publisher once it is committed.
 */
export interface Journal {
  open(): Promise<OpenJournal>;
  /** Notes the position of a recorded message. The message is handed on after it, so that a repeat has the same id. */
  recordPosition(recordId: string, position: Position): Promise<void>;
}
