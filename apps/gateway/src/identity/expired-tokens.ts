import { Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { lte } from 'drizzle-orm';
import { passwordResets } from '../database/schema/accounts.js';
import { invitations } from '../database/schema/organizations.js';
import { tokens } from '../database/schema/tokens.js';
import { Transactions } from '../database/transactions.js';
import { tokenChanged } from './token-changed.js';

/**
 * An expired token opens nothing from its very second; here it also goes away, and its streams with it. Likewise
 * invitations, and links that set a password.
 */
@Injectable()
export class ExpiredTokens {
  constructor(private readonly transactions: Transactions) {}

  async remove(now: Date): Promise<void> {
    await this.transactions.run(async (transaction, publish) => {
      await transaction.delete(invitations).where(lte(invitations.expires, now));
      await transaction.delete(passwordResets).where(lte(passwordResets.expires, now));
      const rows = await transaction.delete(tokens).where(lte(tokens.expires, now)).returning();
      for (const row of rows) publish(tokenChanged(row, ChangeType.Removed));
    });
  }
}
