import type { Response } from 'express';
import { countWithin, limiterOf } from '../access/throttle.js';

/** Failed logins a minute: of one account from one address, and of one address. */
const FAILURES_OF_ACCOUNT = 10;
const FAILURES_OF_ADDRESS = 100;

/** Limits failed logins: to few for one account from one address, to more for one address whichever accounts it tries. */
export class FailedLogins {
  readonly #ofAccount = limiterOf(FAILURES_OF_ACCOUNT);
  readonly #ofAddress = limiterOf(FAILURES_OF_ADDRESS);

  /** Counts an attempt as failed until it has succeeded. @throws ProblemException 429 after too many failures */
  async begin(address: string, account: string, response: Response): Promise<{ succeeded(): Promise<void> }> {
    const pair = `${address} ${account}`;
    for (const [limiter, key] of [
      [this.#ofAccount, pair],
      [this.#ofAddress, address],
    ] as const) {
      await countWithin(limiter, key, response, 'Too many failed logins; wait a minute and try again.');
    }
    return {
      succeeded: async () => {
        await this.#ofAccount.delete(pair);
        await this.#ofAddress.reward(address);
      },
    };
  }
}
