/** Something that the operator can mend: the message is one sentence that says what to do. Ends the start with 1. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}
