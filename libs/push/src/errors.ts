/** What the library throws where the caller cannot choose. Read `code`, never the text. */
export type PushErrorCode =
  /** The catalog has no row for the type. */
  | 'unknown_type'
  /** The schema refused the message; `issues` says where. */
  | 'invalid_message'
  /** It is larger than a message may be. */
  | 'message_too_large';

export interface MessageIssue {
  readonly path: string;
  readonly message: string;
}

export class PushError extends Error {
  override readonly name = 'PushError';
  constructor(
    readonly code: PushErrorCode,
    message: string,
    readonly issues: readonly MessageIssue[] = [],
  ) {
    super(message);
  }
}
