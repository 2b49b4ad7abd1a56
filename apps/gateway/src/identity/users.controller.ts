import { Controller, Get, Inject, Query } from '@nestjs/common';
import { and, desc, eq } from 'drizzle-orm';
import { z } from 'zod';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import { notExpired } from '../access/tokens.js';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { users } from '../database/schema/accounts.js';
import { tokens } from '../database/schema/tokens.js';
import { Answers } from '../http/answers.js';
import { Page, paging, type Paging } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { instant } from '../http/schemas.js';
import { toUserView, userView } from './user-view.js';

const meView = userView.extend({ organization_ids: z.array(z.uuid()).readonly() });
const sessionView = z.object({
  id: z.uuid(),
  created_utc: instant,
  last_used_utc: instant.nullable(),
  expires_utc: instant.nullable(),
  user_agent: z.string().nullable(),
  is_current: z.boolean(),
});

@Controller('api/v2/users/me')
@Allow('user')
export class UsersController {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  @Get()
  @Answers('The caller', { body: meView })
  async me(@CallingUser() { userId, organizationIds }: UserCaller) {
    const [found] = await this.database.select().from(users).where(eq(users.id, userId));
    if (found === undefined) throw notFound('user');
    return { ...toUserView(found), organization_ids: organizationIds };
  }

  @Get('tokens')
  @Answers("The caller's sessions, newest first", { body: sessionView, list: true })
  async sessions(@CallingUser() { userId, tokenId }: UserCaller, @Query({ schema: paging }) query: Paging) {
    const found = this.database
      .select()
      .from(tokens)
      .where(and(eq(tokens.userId, userId), eq(tokens.kind, 'login'), notExpired))
      .orderBy(desc(tokens.created), tokens.id)
      .$dynamic();
    return (await Page.read(this.database, found, query)).map((row): z.input<typeof sessionView> => ({
      id: row.id,
      created_utc: row.created,
      last_used_utc: row.lastUsed,
      expires_utc: row.expires,
      user_agent: row.userAgent,
      is_current: row.id === tokenId,
    }));
  }
}
