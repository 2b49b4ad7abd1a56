import { Inject, Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol/catalog';
import { and, desc, eq, inArray, isNull, ne, sql } from 'drizzle-orm';
import { hashToken, newToken } from '../access/tokens.js';
import type { Transaction } from '../database/database.js';
import { users } from '../database/schema/accounts.js';
import { tokens } from '../database/schema/tokens.js';
import { Transactions, type Publish } from '../database/transactions.js';
import { cutText } from '../parsing/text.js';
import { SETTINGS, type Settings } from '../process/settings.js';
import { tokenChanged } from './token-changed.js';

const SESSION_DAYS = 30;
/** Characters of the `User-Agent` that are stored. */
const MOST_USER_AGENT = 500;

/** Sessions are the login tokens of users. A session that ends closes its streams. */
@Injectable()
export class Sessions {
  constructor(
    private readonly transactions: Transactions,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /**
   * Begins a session of an account whose password was verified. Undefined if the password was changed or the account
   * locked since.
   */
  begin(
    { id, passwordHash }: Pick<typeof users.$inferSelect, 'id' | 'passwordHash'>,
    userAgent: string | undefined,
  ): Promise<string | undefined> {
    return this.transactions.run(async (transaction, publish) => {
      // The row lock: whatever ends all sessions of the account either comes first, or ends this one too.
      const [user] = await transaction
        .select({ id: users.id })
        .from(users)
        .where(and(eq(users.id, id), eq(users.passwordHash, passwordHash), isNull(users.locked)))
        .for('no key update');
      return user === undefined ? undefined : this.beginFor(transaction, publish, id, userAgent);
    });
  }

  /** The same, in a transaction that has the account's row locked. At the limit, the sessions used longest ago end. */
  async beginFor(
    transaction: Transaction,
    publish: Publish,
    userId: string,
    userAgent: string | undefined,
  ): Promise<string> {
    const tooMany = transaction
      .select({ id: tokens.id })
      .from(tokens)
      .where(ofUser(userId))
      .orderBy(sql`${tokens.lastUsed} DESC NULLS LAST`, desc(tokens.created))
      .offset(this.settings.MAX_SESSIONS_PER_ACCOUNT - 1);
    const ended = await transaction.delete(tokens).where(inArray(tokens.id, tooMany)).returning();
    for (const row of ended) publish(tokenChanged(row, ChangeType.Removed));
    const token = newToken();
    await transaction.insert(tokens).values({
      hash: hashToken(token),
      kind: 'login',
      userId,
      userAgent: userAgent === undefined ? undefined : cutText(userAgent, MOST_USER_AGENT),
      lastUsed: new Date(),
      expires: new Date(Date.now() + SESSION_DAYS * 86_400_000),
    });
    return token;
  }

  /** Ends one session, and its streams. */
  async endOne(id: string): Promise<void> {
    await this.transactions.run(async (transaction, publish) => {
      const [ended] = await transaction.delete(tokens).where(eq(tokens.id, id)).returning();
      if (ended !== undefined) publish(tokenChanged(ended, ChangeType.Removed));
    });
  }

  /** Ends all sessions of an account, perhaps except one. Their streams end once the transaction is committed. */
  async end(transaction: Transaction, publish: Publish, userId: string, exceptId?: string): Promise<void> {
    const ended = await transaction
      .delete(tokens)
      .where(and(ofUser(userId), exceptId === undefined ? undefined : ne(tokens.id, exceptId)))
      .returning();
    for (const row of ended) publish(tokenChanged(row, ChangeType.Removed));
  }
}

const ofUser = (userId: string) => and(eq(tokens.userId, userId), eq(tokens.kind, 'login'));
