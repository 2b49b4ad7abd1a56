import { Body, Controller, Get, Headers, Inject, Ip, Post, Res } from '@nestjs/common';
import { eq } from 'drizzle-orm';
import type { Response } from 'express';
import { z } from 'zod';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { users } from '../database/schema/accounts.js';
import { Answers, diskFull } from '../http/answers.js';
import { ProblemException, unauthorized } from '../http/problem.js';
import { emailAddress, line, lookedFor } from '../http/schemas.js';
import { networkOf } from '../parsing/address.js';
import { SETTINGS, type Settings } from '../process/settings.js';
import { FailedLogins } from './failed-logins.js';
import { PasswordChoices } from './password-choices.js';
import { verifyNobody, verifyPassword } from './passwords.js';
import { Sessions } from './sessions.js';
import { SignUp } from './sign-up.js';

const credentials = z.object({ email: lookedFor(320), password: z.string().max(1000) });
const newAccount = z.object({
  email: emailAddress,
  password: z.string().max(1000),
  full_name: line(100),
  invitation: z.string().max(200).optional().meta({ description: "The secret of an invitation's link." }),
});
const session = z.object({ token: z.string() });

@Controller('api/v2/auth')
export class AuthController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly sessions: Sessions,
    private readonly signUps: SignUp,
    private readonly failedLogins: FailedLogins,
    private readonly passwordChoices: PasswordChoices,
  ) {}

  @Post('login')
  @Allow('anyone')
  @Answers('Logs in, with a session of 30 days', {
    body: session,
    also: { 401: 'The address or the password is wrong, or the account is locked.' },
  })
  async login(
    @Body({ schema: credentials }) { email, password }: z.output<typeof credentials>,
    @Ip() address: string,
    @Headers('user-agent') userAgent: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ) {
    const account = email.toLowerCase();
    const attempt = await this.failedLogins.begin(networkOf(address), account, response);
    const [found] = await this.database.select().from(users).where(eq(users.email, account));
    const right =
      found === undefined ? await verifyNobody(password) : await verifyPassword(found.passwordHash, password);
    // A locked account looks like a wrong password, and takes as long: only its owner and administrators may know.
    const mayLogIn = found !== undefined && right && found.locked === null;
    const token = mayLogIn ? await this.sessions.begin(found, userAgent) : undefined;
    if (token === undefined) throw unauthorized('The e-mail address or the password is wrong.');
    await attempt.succeeded();
    return { token };
  }

  @Post('signup')
  @Allow('anyone')
  @Answers('Creates an account and begins its first session; accepts an invitation, if there is one', {
    status: 201,
    body: session,
    also: {
      404: 'Sign-up is switched off (`ENABLE_SIGNUP`), or there is no such invitation.',
      409: 'The address has an account, or the organization has too many members.',
    },
  })
  async signUp(
    @Body({ schema: newAccount }) account: z.output<typeof newAccount>,
    @Ip() address: string,
    @Headers('user-agent') userAgent: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ) {
    const { email, password, full_name: fullName, invitation } = account;
    if (!this.settings.ENABLE_SIGNUP)
      throw new ProblemException(404, 'Sign-up is switched off here; ask an administrator for an account.');
    await this.passwordChoices.check({ password, about: [email, fullName] }, address, response);
    return { token: await this.signUps.create({ email, fullName, password, invitation }, userAgent) };
  }

  @Get('logout')
  @Allow('user')
  @Answers("Ends the caller's session", { status: 204, also: diskFull })
  logoutByGet(
    @CallingUser() caller: UserCaller,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    return this.logout(caller, response);
  }

  @Post('logout')
  @Allow('user')
  @Answers("Ends the caller's session", { status: 204 })
  async logout(
    @CallingUser() { tokenId }: UserCaller,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    response.setHeader('Cache-Control', 'no-store');
    await this.sessions.endOne(tokenId);
  }
}
