import { Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol/catalog';
import { lte } from 'drizzle-orm';
import { passwordResets } from '../database/schema/accounts.js';
import { invitations } from '../database/schema/organizations.js';
import { tokens } from '../database/schema/tokens.js';
import { Transactions } from '../database/transactions.js';
import { tokenChanged } from './token-changed.js';

/**
 * Removes expired tokens, which ends their streams; also expired invitations and password links. An expired token opens
 * nothing from the moment it expires, removed or not.
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
