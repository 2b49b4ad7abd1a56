import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import { networkOf } from '../parsing/address.js';
import { invalid } from '../http/problem.js';
import { countWithin, limiterOf } from '../access/throttle.js';
import { weaknessOf } from './passwords.js';

/** Choices a minute. A check keeps the processor busy for up to a thirtieth of a second, whoever asks for it. */
const OF_ADDRESS = 30;
const IN_ALL = 120;

/** Passwords that people choose: every route that takes one asks here before it keeps it. */
@Injectable()
export class PasswordChoices {
  readonly #ofAddress = limiterOf(OF_ADDRESS);
  readonly #inAll = limiterOf(IN_ALL);

  /**
   * Counts the choice, then reads it. `about`: words that say who the password is for; `path`: what the field is called.
   * @throws ProblemException 400 that says what is wrong with the password, or 429 after too many choices from the
   * address or from everyone together
   */
  async check(
    { password, about, path = 'password' }: { password: string; about: readonly string[]; path?: string },
    address: string | undefined,
    response: Response,
  ): Promise<void> {
    const sentence = 'Too many passwords were chosen; wait a minute and try again.';
    // The address first: one that is over its budget takes nothing from everyone's.
    await countWithin(this.#ofAddress, networkOf(address), response, sentence);
    await countWithin(this.#inAll, 'all', response, sentence);
    const weakness = await weaknessOf(password, about);
    if (weakness !== undefined) throw invalid([{ path, message: weakness }]);
  }
}
