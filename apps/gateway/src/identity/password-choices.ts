import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import { countWithin, limiterOf } from '../access/throttle.js';
import { invalid } from '../http/problem.js';
import { networkOf } from '../parsing/address.js';
import { weaknessOf } from './passwords.js';

/** Choices a minute. A check uses the processor for up to a thirtieth of a second, even for unauthenticated callers. */
const OF_ADDRESS = 30;
const IN_ALL = 120;

/** Checks the passwords that users choose. Every route that stores one calls it first. */
@Injectable()
export class PasswordChoices {
  readonly #ofAddress = limiterOf(OF_ADDRESS);
  readonly #inAll = limiterOf(IN_ALL);

  /**
   * Counts the choice, then checks it. `about`: words about the user; `path`: the name of the field.
   * @throws ProblemException 400 that says what is wrong with the password, or 429 after too many choices from the
   * address or in all
   */
  async check(
    { password, about, path = 'password' }: { password: string; about: readonly string[]; path?: string },
    address: string | undefined,
    response: Response,
  ): Promise<void> {
    const sentence = 'Too many passwords were chosen; wait a minute and try again.';
    // The address first: an address over its budget takes nothing from the common one.
    await countWithin(this.#ofAddress, networkOf(address), response, sentence);
    await countWithin(this.#inAll, 'all', response, sentence);
    const weakness = await weaknessOf(password, about);
    if (weakness !== undefined) throw invalid([{ path, message: weakness }]);
  }
}
