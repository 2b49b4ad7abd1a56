import type { Clock } from './clock.js';

/** What one call to a port may take: the authenticator, the lease store. */
export const CALL_MS = 5000;

/** A call to the outside did not answer in time. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  constructor(what: string, milliseconds: number) {
    super(`${what} did not answer within ${milliseconds} ms`);
  }
}

/**
 * What was promised, if it comes within `milliseconds`. The call itself goes on: what it answers later is dropped, an
 * error too. `what` is the subject of the error's sentence, such as "the authenticator".
 * @throws DeadlineError when it does not; what the promise throws
 */
export function withDeadline<T>(
  clock: Clock,
  milliseconds: number,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(milliseconds, () => reject(new DeadlineError(what, milliseconds)));
    promise.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
