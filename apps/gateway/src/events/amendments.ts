import { Inject, Injectable } from '@nestjs/common';
import { and, desc, eq, isNull, lt, or, sql } from 'drizzle-orm';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { events } from '../database/schema.js';

/** How exact a session's last activity is: a write for each heartbeat would cost more than it tells. */
const ACTIVITY_MS = 60_000;

/**
 * What client libraries say of an event afterwards: kept beside its data, which may be large, and shown as a part of it.
 * It concerns the newest event with a reference, which may be still on its way: then nothing is kept.
 */
@Injectable()
export class Amendments {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  async describe(projectId: string, referenceId: string, said: Record<string, unknown>): Promise<void> {
    await this.database
      .update(events)
      .set({ userDescription: said })
      .where(eq(events.id, this.#newest(projectId, referenceId)));
  }

  /** At most one write a minute, and one when it is closed. */
  async noteActivity(projectId: string, sessionId: string, isClosed: boolean, now: Date): Promise<void> {
    const isDue = or(
      isNull(events.sessionLastActivity),
      lt(events.sessionLastActivity, new Date(now.getTime() - ACTIVITY_MS)),
      isClosed ? sql`${events.sessionClosed} IS NOT TRUE` : undefined,
    );
    await this.database
      .update(events)
      .set({ sessionLastActivity: now, sessionClosed: isClosed })
      .where(and(eq(events.id, this.#newest(projectId, sessionId)), isDue));
  }

  #newest(projectId: string, referenceId: string) {
    const newest = this.database
      .select({ id: events.id })
      .from(events)
      .where(and(eq(events.projectId, projectId), eq(events.referenceId, referenceId)))
      .orderBy(desc(events.date))
      .limit(1);
    return sql`(${newest})`;
  }
}
