import { Inject, Injectable } from '@nestjs/common';
import { and, desc, eq, lt, lte, or, sql, type SQL } from 'drizzle-orm';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { pendingAmendments, events } from '../database/schema/events.js';
import { newestOf, sessionOf } from './event-reference.js';

/** Of one kind and project. A project with many amendments of events that never come displaces only its own. */
const MOST_WAITING = 500;
/** Client libraries queue events for hours while they cannot send them. */
const HOURS = 24;
/** The precision of a session's last activity: a write for each heartbeat would cost more than it is worth. */
export const ACTIVITY_MS = 60_000;

/** An amendment of an event that has not come. */
type Pending = { readonly projectId: string; readonly reference: string } & (
  | { readonly kind: 'description'; readonly said: Record<string, unknown> }
  | { readonly kind: 'heartbeat'; readonly closed: boolean }
);
type Kind = Pending['kind'];

/** How each kind of amendment finds its event, and what it changes. An amendment that came after the event takes precedence. */
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
 * Amendments that come before their event: client libraries send a description at once, but queue events. Each is kept by
 * project and reference until the event comes, within bounds of number and age.
 */
@Injectable()
export class PendingAmendments {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /**
   * Keeps an amendment, and replaces an older one of its kind and reference. Beyond the limit, the oldest are forgotten.
   */
  async keep(amendment: Pending, now: Date): Promise<void> {
    const { projectId, kind, reference } = amendment;
    const said = amendment.kind === 'description' ? { said: amendment.said } : { closed: amendment.closed };
    // Heartbeats repeat: at most one write a minute, and one at the close.
    const isDue =
      amendment.kind === 'description'
        ? undefined
        : or(
            lt(pendingAmendments.noted, new Date(now.getTime() - ACTIVITY_MS)),
            amendment.closed ? eq(pendingAmendments.closed, false) : undefined,
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
    if (written.isNew) await this.#dropOldest(projectId, kind);
    // The event may have come meanwhile, and looked for amendments before this one was stored.
    await this.#apply(projectId, kind, [reference]);
  }

  /**
   * Applies pending amendments to events that have come. `names`: their references, and their users' identities. Call it
   * after the commit of the events: amendments stored before are found here, and later ones find the event.
   */
  async applyTo(projectId: string, names: ReadonlySet<string>): Promise<void> {
    if (names.size === 0) return;
    const waiting = await this.database
      .select({ kind: pendingAmendments.kind, reference: pendingAmendments.reference })
      .from(pendingAmendments)
      .where(eq(pendingAmendments.projectId, projectId));
    for (const kind of ['description', 'heartbeat'] as const) {
      const named = waiting
        .filter((one) => one.kind === kind && names.has(one.reference))
        .map(({ reference }) => reference);
      if (named.length > 0) await this.#apply(projectId, kind, named);
    }
  }

  /** Forgets amendments whose event did not come. */
  async prune(now: Date): Promise<void> {
    const oldest = new Date(now.getTime() - HOURS * 3_600_000);
    await this.#forget(lt(pendingAmendments.noted, oldest));
  }

  /**
   * Applies the amendments that have an event, in one statement; the others go on waiting. A concurrent call for the same
   * amendments waits for the row locks, and then sees events that have come meanwhile.
   */
  async #apply(projectId: string, kind: Kind, references: readonly string[]): Promise<void> {
    const { eventOf, change } = amendmentOf[kind];
    await this.database.execute(sql`
      WITH found AS MATERIALIZED (
        SELECT early.*, ${eventOf(projectId, sql`early.reference`)} AS event_id FROM ${pendingAmendments} AS early
        WHERE project_id = ${projectId} AND kind = ${kind} AND reference = ANY(${sql.param([...references])}::text[])
        ORDER BY reference FOR UPDATE
      ), applied AS (
        DELETE FROM ${pendingAmendments} AS early USING found
        WHERE early.project_id = found.project_id AND early.kind = found.kind AND early.reference = found.reference
          AND found.event_id IS NOT NULL
      )
      UPDATE ${events} SET ${change} FROM found WHERE events.id = found.event_id`);
  }

  async #dropOldest(projectId: string, kind: Kind): Promise<void> {
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

  /** Skips amendments that another transaction has locked, so that no two deadlock. */
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
