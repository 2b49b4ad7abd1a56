import { Controller, Get, Inject } from '@nestjs/common';
import { and, desc, eq } from 'drizzle-orm';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { tokens, users } from '../database/schema.js';
import { notFound } from '../http/problem.js';
import { Allow, CallingUser, type UserCaller } from './caller.js';
import { notExpired } from './tokens.js';

@Controller('api/v2/users/me')
@Allow('user')
export class UsersController {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  @Get()
  async me(@CallingUser() { userId, organizationIds }: UserCaller) {
    const [found] = await this.database.select().from(users).where(eq(users.id, userId));
    if (found === undefined) throw notFound('user');
    return { ...userView(found), organization_ids: organizationIds };
  }

  @Get('tokens')
  async sessions(@CallingUser() { userId, tokenId }: UserCaller) {
    const rows = await this.database
      .select()
      .from(tokens)
      .where(and(eq(tokens.userId, userId), eq(tokens.kind, 'login'), notExpired))
      .orderBy(desc(tokens.created), tokens.id);
    return rows.map((row) => ({
      id: row.id,
      created_utc: row.created,
      last_used_utc: row.lastUsed,
      expires_utc: row.expires,
      user_agent: row.userAgent,
      is_current: row.id === tokenId,
    }));
  }
}

export function userView({ id, email, fullName, roles }: typeof users.$inferSelect) {
  return { id, email_address: email, full_name: fullName, roles };
}
