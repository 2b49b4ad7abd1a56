import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'drizzle-orm';
import type { Database, Queries } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import {
  notifications,
  type NotificationLevel,
  type NotificationTarget,
} from '../database/schema/notifications.js';
import { Transactions } from '../database/transactions.js';

export interface ReleaseNotification {
  readonly critical: boolean;
  readonly date: Date;
  readonly message: string;
}

export interface SystemNotification {
  readonly date: Date;
  readonly message: string;
  readonly level: NotificationLevel;
  readonly target: NotificationTarget;
}

/** Notifications from administrators to everyone who is signed in. */
@Injectable()
export class Notifications {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
  ) {}

  /** Tells every app that there is a new version. */
  async release(byId: string, { critical, date, message }: ReleaseNotification): Promise<void> {
    await this.transactions.run(async (transaction, publish) => {
      await transaction
        .insert(notifications)
        .values({ kind: 'release', message, critical, date, createdBy: byId });
      publish({ type: 'ReleaseNotification', message: { critical, date: date.toISOString(), message } });
    });
  }

  /** The system notification that is shown now; undefined if there is none. */
  async system(): Promise<SystemNotification | undefined> {
    const [standing] = await this.database.select().from(notifications).where(isStanding);
    if (standing === undefined) return undefined;
    const { date, message, level, target } = standing;
    return { date, message, level: level ?? 'Info', target: target ?? 'Both' };
  }

  /** Shows a system notification in place of the current one. */
  async announce(byId: string, { date, message, level, target }: SystemNotification): Promise<void> {
    const shown = { message, level, target, date, createdBy: byId };
    await this.transactions.run(async (transaction, publish) => {
      await clear(transaction, date);
      await transaction
        .insert(notifications)
        .values({ kind: 'system', ...shown })
        // Another administrator was a moment earlier.
        .onConflictDoUpdate({ target: notifications.kind, targetWhere: isStanding, set: shown });
      publish({ type: 'SystemNotification', message: { date: date.toISOString(), message, level, target } });
    });
  }

  /** Removes the system notification, and publishes that if there was one. */
  async clearSystem(date: Date): Promise<void> {
    await this.transactions.run(async (transaction, publish) => {
      if ((await clear(transaction, date)) === 0) return;
      publish({ type: 'SystemNotification', message: { date: date.toISOString() } });
    });
  }
}

// The literal lets PostgreSQL see that the index fits.
const isStanding = sql`${notifications.kind} = 'system' AND ${notifications.cleared} IS NULL`;

async function clear(queries: Queries, date: Date): Promise<number> {
  const cleared = await queries
    .update(notifications)
    .set({ cleared: date })
    .where(isStanding)
    .returning({ id: notifications.id });
  return cleared.length;
}
