import { Inject, Injectable } from '@nestjs/common';
import { and, desc, eq, lt, lte, or, sql, type SQL } from 'drizzle-orm';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { pendingAmendments, events } from '../database/schema/events.js';
import { newestOf, sessionOf } from './event-reference.js';

/** Of one kind and project. A project that says very much of events that never come pushes out its own. */
const MOST_WAITING = 500;
/** Client libraries keep events for hours while they cannot send them. */
const HOURS = 24;
/** How exact a session's last activity is: a write for each heartbeat would cost more than it tells. */
export const ACTIVITY_MS = 60_000;

/** What was said of an event that is not there. */
type Early = { readonly projectId: string; readonly reference: string } & (
  | { readonly kind: 'description'; readonly said: Record<string, unknown> }
  | { readonly kind: 'heartbeat'; readonly closed: boolean }
);
type Kind = Early['kind'];

/** How the event is found that an amendment is of, and what of the event it changes. What was said of it since it came stands. */
const amendmentOf: Readonly<
  Record<Kind, { readonly eventOf: (projectId: string, reference: SQL) => SQL; readonly change: SQL }>
> = {
  description: {
    eventOf: newestOf,
    change: sql`user_description = COALESCE(events.user_description, found.said)`,
  },
  heartbeat: {
    eventOf: sessionOf,
    change: sql`session_last_activity_utc = GREATEST(events.session_last_activity_utc, found.noted_utc),
      session_closed = COALESCE(events.session_closed, false) OR found.closed`,
  },
};

/**
 * Amendments that come before their event: client libraries send a description at once, and events with their queue. Each
 * is kept by project and reference until the event comes, within bounds of number and age.
 */
@Injectable()
export class PendingAmendments {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /**
   * Keeps one, in place of an older one of its kind and reference; beyond the most, those are forgotten that were said
   * longest ago.
   */
  async keep(early: Early, now: Date): Promise<void> {
    const { projectId, kind, reference } = early;
    const said = early.kind === 'description' ? { said: early.said } : { closed: early.closed };
    // A heartbeat repeats itself: at most one write a minute, and one when it closes.
    const isDue =
      early.kind === 'description'
        ? undefined
        : or(
            lt(pendingAmendments.noted, new Date(now.getTime() - ACTIVITY_MS)),
            early.closed ? eq(pendingAmendments.closed, false) : undefined,
          );
    const [written] = await this.database
      .insert(pendingAmendments)
      .values({ projectId, kind, reference, noted: now, ...said })
      .onConflictDoUpdate({
        target: [pendingAmendments.projectId, pendingAmendments.kind, pendingAmendments.reference],
        set: { noted: now, ...said },
        ...(isDue === undefined ? {} : { setWhere: isDue }),
      })
      .returning({ isNew: sql<boolean>`(xmax = 0)` });
    if (written === undefined) return;
    if (written.isNew) await this.#makeRoom(projectId, kind);
    // The event may have come meanwhile, and looked before this was kept.
    await this.#give(projectId, kind, [reference]);
  }

  /**
   * Gives events that have come what was said of them before. `names`: their references, and the identities of their users.
   * After the commit of the events: what is kept before is found here, and what is kept later finds the event.
   */
  async giveTo(projectId: string, names: ReadonlySet<string>): Promise<void> {
    if (names.size === 0) return;
    const waiting = await this.database
      .select({ kind: pendingAmendments.kind, reference: pendingAmendments.reference })
      .from(pendingAmendments)
      .where(eq(pendingAmendments.projectId, projectId));
    for (const kind of ['description', 'heartbeat'] as const) {
      const named = waiting
        .filter((one) => one.kind === kind && names.has(one.reference))
        .map(({ reference }) => reference);
      if (named.length > 0) await this.#give(projectId, kind, named);
    }
  }

  /** Forgets those whose event did not come. */
  async prune(now: Date): Promise<void> {
    const oldest = new Date(now.getTime() - HOURS * 3_600_000);
    await this.#forget(lt(pendingAmendments.noted, oldest));
  }

  /**
   * Those that have an event go to it, in one statement; the others wait on. Whoever gives the same at once waits, and looks
   * at events that have come meanwhile.
   */
  async #give(projectId: string, kind: Kind, references: readonly string[]): Promise<void> {
    const { eventOf, change } = amendmentOf[kind];
    await this.database.execute(sql`
      WITH found AS MATERIALIZED (
        SELECT early.*, ${eventOf(projectId, sql`early.reference`)} AS event_id FROM ${pendingAmendments} AS early
        WHERE project_id = ${projectId} AND kind = ${kind} AND reference = ANY(${sql.param([...references])}::text[])
        ORDER BY reference FOR UPDATE
      ), given AS (
        DELETE FROM ${pendingAmendments} AS early USING found
        WHERE early.project_id = found.project_id AND early.kind = found.kind AND early.reference = found.reference
          AND found.event_id IS NOT NULL
      )
      UPDATE ${events} SET ${change} FROM found WHERE events.id = found.event_id`);
  }

  async #makeRoom(projectId: string, kind: Kind): Promise<void> {
    const own = and(eq(pendingAmendments.projectId, projectId), eq(pendingAmendments.kind, kind));
    const last = this.database
      .select({ noted: pendingAmendments.noted })
      .from(pendingAmendments)
      .where(own)
      .orderBy(desc(pendingAmendments.noted))
      .limit(1)
      .offset(MOST_WAITING);
    await this.#forget(and(own, lte(pendingAmendments.noted, last)));
  }

  /** But for those that somebody works on at the moment, so that no two wait for each other. */
  async #forget(which: SQL | undefined): Promise<void> {
    const { projectId, kind, reference } = pendingAmendments;
    const free = this.database
      .select({ projectId, kind, reference })
      .from(pendingAmendments)
      .where(which)
      .for('update', { skipLocked: true });
    await this.database
      .delete(pendingAmendments)
      .where(sql`(${projectId}, ${kind}, ${reference}) IN ${free}`);
  }
}
