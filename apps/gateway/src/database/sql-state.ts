/** PostgreSQL's code for what went wrong (its manual, appendix A), wherever in the chain of causes it is. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
  }
  return undefined;
}

/** Something refers to a row that is not there, or not any more. */
export const FOREIGN_KEY_VIOLATION = '23503';
