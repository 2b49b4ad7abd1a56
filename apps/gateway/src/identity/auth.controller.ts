import { Body, Controller, Get, Headers, Inject, Ip, Post, Res } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { eq } from 'drizzle-orm';
import type { Response } from 'express';
import { z } from 'zod';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { tokens, users } from '../database/schema.js';
import { Transactions } from '../database/transactions.js';
import { Answers } from '../http/answers.js';
import { conflict, ProblemException, unauthorized } from '../http/problem.js';
import { emailAddress, line } from '../http/schemas.js';
import { FailedLogins, networkOf } from '../http/throttle.js';
import { SETTINGS, type Settings } from '../settings.js';
import { Allow, CallingUser, type UserCaller } from './caller.js';
import { PasswordChoices } from './password-choices.js';
import { hashPassword, verifyNobody, verifyPassword } from './passwords.js';
import { tokenChanged } from './token-changed.js';
import { Tokens } from './tokens.js';

const credentials = z.object({ email: z.string().max(320), password: z.string().max(1000) });
const newAccount = z.object({
  email: emailAddress,
  password: z.string().max(1000),
  full_name: line(100),
});
const session = z.object({ token: z.string() });

@Controller('api/v2/auth')
export class AuthController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly transactions: Transactions,
    private readonly tokens: Tokens,
    private readonly failedLogins: FailedLogins,
    private readonly passwordChoices: PasswordChoices,
  ) {}

  @Post('login')
  @Allow('anyone')
  @Answers('Begins a session of 30 days', {
    body: session,
    also: { 401: 'The address or the password is wrong.' },
  })
  async login(
    @Body({ schema: credentials }) { email, password }: z.output<typeof credentials>,
    @Ip() address: string,
    @Headers('user-agent') userAgent: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ) {
    const account = email.trim().toLowerCase().replaceAll('\0', '');
    const attempt = await this.failedLogins.begin(networkOf(address), account, response);
    const [found] = await this.database.select().from(users).where(eq(users.email, account));
    const right =
      found === undefined ? await verifyNobody(password) : await verifyPassword(found.passwordHash, password);
    if (found === undefined || !right) throw unauthorized('The e-mail address or the password is wrong.');
    await attempt.succeeded();
    return { token: await this.tokens.login(this.database, found.id, userAgent) };
  }

  @Post('signup')
  @Allow('anyone')
  @Answers('Makes an account and begins its first session', {
    status: 201,
    body: session,
    also: { 404: 'Sign-up is switched off (`ENABLE_SIGNUP`).', 409: 'The address has an account.' },
  })
  async signUp(
    @Body({ schema: newAccount }) { email, password, full_name: fullName }: z.output<typeof newAccount>,
    @Ip() address: string,
    @Headers('user-agent') userAgent: string | undefined,
    @Res({ passthrough: true }) response: Response,
  ) {
    if (!this.settings.ENABLE_SIGNUP)
      throw new ProblemException(404, 'Sign-up is switched off here; ask an administrator for an account.');
    await this.passwordChoices.check({ password, about: [email, fullName] }, address, response);
    const passwordHash = await hashPassword(password);
    return this.database.transaction(async (transaction) => {
      const [made] = await transaction
        .insert(users)
        .values({ email, fullName, passwordHash })
        .onConflictDoNothing()
        .returning();
      if (made === undefined) throw conflict('This address has an account; log in.');
      return { token: await this.tokens.login(transaction, made.id, userAgent) };
    });
  }

  @Get('logout')
  @Allow('user')
  @Answers('Ends the session whose token calls', { status: 204 })
  logoutByGet(
    @CallingUser() caller: UserCaller,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    return this.logout(caller, response);
  }

  @Post('logout')
  @Allow('user')
  @Answers('Ends the session whose token calls', { status: 204 })
  async logout(
    @CallingUser() { tokenId }: UserCaller,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    response.setHeader('Cache-Control', 'no-store');
    await this.transactions.run(async (transaction, publish) => {
      const [row] = await transaction.delete(tokens).where(eq(tokens.id, tokenId)).returning();
      if (row !== undefined) publish(tokenChanged(row, ChangeType.Removed));
    });
  }
}
