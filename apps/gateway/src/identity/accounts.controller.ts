import { Controller, Delete, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { asc, sql } from 'drizzle-orm';
import { z } from 'zod';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { users } from '../database/schema/accounts.js';
import { Answers } from '../http/answers.js';
import { Page, paging } from '../http/page.js';
import { idSchema, instant, lookedFor } from '../http/schemas.js';
import { Accounts } from './accounts.js';
import { toUserView, userView } from './user-view.js';

const listing = paging.extend({
  q: lookedFor(320)
    .transform((text) => text.toLowerCase())
    .optional(),
});
const accountView = userView.extend({ created_utc: instant, locked_utc: instant.nullable() });
const noSuchUser = { 404: 'There is no such user.' };

/** All accounts, for administrators. */
@Controller('api/v2/users')
@Allow('administrator')
export class AccountsController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly accounts: Accounts,
  ) {}

  @Get()
  @Answers('All accounts, by address; `q`: a part of the address', { body: accountView, list: true })
  async list(@Query({ schema: listing }) query: z.output<typeof listing>) {
    const found = this.database
      .select()
      .from(users)
      .where(query.q === undefined ? undefined : sql`strpos(${users.email}, ${query.q}) > 0`)
      .orderBy(asc(users.email))
      .$dynamic();
    return (await Page.read(this.database, found, query)).map((row): z.input<typeof accountView> => ({
      ...toUserView(row),
      created_utc: row.created,
      locked_utc: row.locked,
    }));
  }

  @Post(':id/lock')
  @Answers('Locks an account: it cannot log in, and its sessions and their streams end at once', {
    status: 204,
    also: { ...noSuchUser, 409: "It is the caller's own account." },
  })
  async lock(
    @CallingUser() { userId }: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
  ): Promise<void> {
    await this.accounts.lock(id, userId);
  }

  @Delete(':id/lock')
  @Answers('Unlocks an account, which can log in again', { status: 204, also: noSuchUser })
  async unlock(@Param({ schema: idSchema }) { id }: { id: string }): Promise<void> {
    await this.accounts.unlock(id);
  }
}
