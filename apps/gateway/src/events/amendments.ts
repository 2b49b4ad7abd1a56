import { Inject, Injectable } from '@nestjs/common';
import { and, eq, isNull, lt, or, sql } from 'drizzle-orm';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { events } from '../database/schema/events.js';
import { newestOf, sessionOf } from './event-reference.js';
import { ACTIVITY_MS, PendingAmendments } from './pending-amendments.js';

/**
 * What client libraries add to an event after sending it: stored beside the event's data, which may be large, and shown as
 * a part of it. An amendment applies to the newest event with its reference, and waits while there is none.
 */
@Injectable()
export class Amendments {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly pending: PendingAmendments,
  ) {}

  async describe(
    projectId: string,
    reference: string,
    said: Record<string, unknown>,
    now: Date,
  ): Promise<void> {
    const described = await this.database
      .update(events)
      .set({ userDescription: said })
      .where(eq(events.id, newestOf(projectId, reference)))
      .returning({ id: events.id });
    if (described.length === 0)
      await this.pending.keep({ kind: 'description', projectId, reference, said }, now);
  }

  /** Records activity. `id`: a session's, or its user's identity. Writes at most once a minute, and at the close. */
  async noteActivity(projectId: string, id: string, closed: boolean, now: Date): Promise<void> {
    const [session] = await this.database
      .select({ id: events.id })
      .from(events)
      .where(eq(events.id, sessionOf(projectId, id)));
    if (session === undefined)
      return this.pending.keep({ kind: 'heartbeat', projectId, reference: id, closed }, now);
    const isDue = or(
      isNull(events.sessionLastActivity),
      lt(events.sessionLastActivity, new Date(now.getTime() - ACTIVITY_MS)),
      closed ? sql`${events.sessionClosed} IS NOT TRUE` : undefined,
    );
    await this.database
      .update(events)
      .set({ sessionLastActivity: now, sessionClosed: closed })
      .where(and(eq(events.id, session.id), isDue));
  }
}
