import type { Clock } from './clock.js';

/** How long one call to a port may take: the authenticator, the lease store. */
export const CALL_MS = 5000;

/** How long a peer has to take the last bytes before its socket is destroyed, milliseconds. */
export const CLOSE_TIMEOUT_MS = 1000;

/** A call to the outside did not answer in time. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
  constructor(what: string, milliseconds: number) {
    super(`${what} did not answer within ${milliseconds} ms`);
  }
}

/**
 * Resolves as the promise does, if that is within `milliseconds`. The call itself goes on, and a later result or error of it
 * is dropped. `what` is the subject of the error's sentence, such as "the authenticator".
 * @throws DeadlineError when it is too late; what the promise throws
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
