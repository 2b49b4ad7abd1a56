import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Limiter, MakeLimiter } from '@crossfade/push';
import type { Response } from 'express';
import { countWithin } from '../access/throttle.js';
import { LIMITER } from '../redis/redis.token.js';

/** Failed logins a minute: of one account from one address, and of one address. */
const FAILURES_OF_ACCOUNT = 10;
const FAILURES_OF_ADDRESS = 100;
const MINUTE_SECONDS = 60;

/** Limits failed logins: to few for one account from one address, to more for one address whichever accounts it tries. */
@Injectable()
export class FailedLogins {
  readonly #ofAccount: Limiter;
  readonly #ofAddress: Limiter;

  constructor(@Inject(LIMITER) limiter: MakeLimiter) {
    this.#ofAccount = limiter('failed-logins-of-account', FAILURES_OF_ACCOUNT, MINUTE_SECONDS);
    this.#ofAddress = limiter('failed-logins-of-address', FAILURES_OF_ADDRESS, MINUTE_SECONDS);
  }

  /** Counts an attempt as failed until it has succeeded. @throws ProblemException 429 after too many failures */
  async begin(address: string, account: string, response: Response): Promise<{ succeeded(): Promise<void> }> {
    const pair = `${address} ${hash(account)}`;
    for (const [limiter, key] of [
      [this.#ofAccount, pair],
      [this.#ofAddress, address],
    ] as const) {
      await countWithin(limiter, key, response, 'Too many failed logins; wait a minute and try again.');
    }
    return {
      succeeded: async () => {
        await this.#ofAccount.forget(pair);
        await this.#ofAddress.giveBack(address);
      },
    };
  }
}

/** What somebody typed as an account may be of any length, or be a password, and is no name for a key. */
const hash = (account: string): string => createHash('sha256').update(account).digest('base64url');
