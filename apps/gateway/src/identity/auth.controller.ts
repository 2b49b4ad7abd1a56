import { Body, Controller, Get, Headers, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { eq } from 'drizzle-orm';
import type { Response } from 'express';
import { z } from 'zod';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { tokens, users } from '../database/schema.js';
import { Transactions } from '../database/transactions.js';
import { unauthorized } from '../http/problem.js';
import { Allow, CallingUser, type UserCaller } from './caller.js';
import { verifyNobody, verifyPassword } from './passwords.js';
import { tokenChanged } from './token-changed.js';
import { Tokens } from './tokens.js';

const credentials = z.object({ email: z.string().max(320), password: z.string().max(1000) });

@Controller('api/v2/auth')
export class AuthController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
    private readonly tokens: Tokens,
  ) {}

  @Post('login')
  @Allow('anyone')
  @HttpCode(200)
  async login(
    @Body({ schema: credentials }) { email, password }: z.output<typeof credentials>,
    @Headers('user-agent') userAgent: string | undefined,
  ): Promise<{ token: string }> {
    const address = email.trim().toLowerCase();
    const [found] = await this.database
      .select()
      .from(users)
      .where(eq(users.email, address.replaceAll('\0', '')));
    const right =
      found === undefined ? await verifyNobody(password) : await verifyPassword(found.passwordHash, password);
    if (found === undefined || !right) throw unauthorized('The e-mail address or the password is wrong.');
    return { token: await this.tokens.login(this.database, found.id, userAgent) };
  }

  @Get('logout')
  @Allow('user')
  @HttpCode(204)
  logoutByGet(
    @CallingUser() caller: UserCaller,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    return this.logout(caller, response);
  }

  @Post('logout')
  @Allow('user')
  @HttpCode(204)
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
