import { Body, Controller, Header, Inject, Ip, Param, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import { Answers } from '../http/answers.js';
import { ProblemException } from '../http/problem.js';
import { idSchema, instant } from '../http/schemas.js';
import { networkOf } from '../parsing/address.js';
import { SETTINGS, type Settings } from '../process/settings.js';
import { Accounts } from './accounts.js';
import { FailedLogins } from './failed-logins.js';
import { linkTo } from './link.js';
import { OutgoingMail } from './mailer.js';
import { PasswordChoices } from './password-choices.js';
import { verifyPassword } from './passwords.js';

const password = z.string().max(1000);
const change = z.object({ current_password: password, new_password: password });
const reset = z.object({ secret: z.string().max(200), password });
const resetView = z.object({
  link: z.string().meta({ description: 'Shown only this once; only its fragment is secret.' }),
  expires_utc: instant,
});

/** Changes and resets of passwords. */
@Controller('api/v2')
export class PasswordController {
  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly accounts: Accounts,
    private readonly passwordChoices: PasswordChoices,
    private readonly failedLogins: FailedLogins,
    private readonly mail: OutgoingMail,
  ) {}

  @Post('users/me/password')
  @Allow('user')
  @Answers("Changes the caller's password; all other sessions and their streams end", { status: 204 })
  async change(
    @CallingUser() { userId, tokenId }: UserCaller,
    @Body({ schema: change }) { current_password, new_password }: z.output<typeof change>,
    @Ip() address: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    const wrong = new ProblemException(400, 'The current password is wrong.', [
      { path: 'current_password', message: 'is not your password' },
    ]);
    const user = await this.accounts.existing(userId);
    // A stolen session must not be a way to guess the password.
    const attempt = await this.failedLogins.begin(networkOf(address), user.email, response);
    if (!(await verifyPassword(user.passwordHash, current_password))) throw wrong;
    await attempt.succeeded();
    const choice = { password: new_password, about: [user.email, user.fullName], path: 'new_password' };
    await this.passwordChoices.check(choice, address, response);
    if (!(await this.accounts.changePassword(user, new_password, tokenId))) throw wrong;
  }

  @Post('users/:id/password-reset')
  @Allow('administrator')
  @Header('Cache-Control', 'no-store')
  @Answers('Creates a link that sets a new password, once and within an hour; an older link expires', {
    status: 201,
    body: resetView,
    also: { 404: 'There is no such user.' },
  })
  async offerReset(
    @CallingUser() { userId }: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
  ): Promise<z.input<typeof resetView>> {
    const { user, secret, expires } = await this.accounts.offerReset(id, userId);
    const link = linkTo('reset-password', secret, this.settings);
    this.mail.send({ about: 'password-reset', to: user.email, link, expires });
    return { link, expires_utc: expires };
  }

  @Post('auth/reset-password')
  @Allow('anyone')
  @Answers('Sets a password by such a link; all sessions and their streams end', {
    status: 204,
    also: { 404: 'The link is unknown, was used, or has expired.' },
  })
  async reset(
    @Body({ schema: reset }) { secret, password }: z.output<typeof reset>,
    @Ip() address: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    // First, so that a caller without a link causes no password check and no hash.
    const { email, fullName } = await this.accounts.ofReset(secret);
    await this.passwordChoices.check({ password, about: [email, fullName] }, address, response);
    await this.accounts.reset(secret, password);
  }
}
