import { Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { lte } from 'drizzle-orm';
import { tokens } from '../database/schema.js';
import { Transactions } from '../database/transactions.js';
import { tokenChanged } from './token-changed.js';

/** An expired token opens nothing from its very second; here it also goes away, and its streams with it. */
@Injectable()
export class ExpiredTokens {
  constructor(private readonly transactions: Transactions) {}

  async remove(now: Date): Promise<void> {
    await this.transactions.run(async (transaction, publish) => {
      const rows = await transaction.delete(tokens).where(lte(tokens.expires, now)).returning();
      for (const row of rows) publish(tokenChanged(row, ChangeType.Removed));
    });
  }
}
