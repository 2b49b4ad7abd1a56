import { Inject, Injectable } from '@nestjs/common';
import { and, eq, inArray, or, sql, type SQL } from 'drizzle-orm';
import type { Database, Queries, Transaction } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { organizations, usage, type PlanId } from '../database/schema/organizations.js';
import { Transactions, type Publish } from '../database/transactions.js';
import { ProblemException, unauthorized } from '../http/problem.js';
import { endOf, periods, plans, shareOf, startOf, type Period, type Share } from './plans.js';

/** The events of an organization in the current period. */
export interface PeriodUsage {
  readonly total: number;
  readonly limit: number | null;
  /** Events that exceeded the plan. */
  readonly dropped: number;
  /** Events were dropped in this period, or more were sent than the plan allows. */
  readonly isOver: boolean;
}
export type Usage = Readonly<Record<Period, PeriodUsage>>;

/** What became of a batch. */
interface Outcome {
  readonly kept: number;
  readonly dropped: number;
}

/** Other batches used up the share after it was looked up, so it has to be looked up again. */
export class ShareTaken extends Error {}

/** Counts events by month and hour, exactly: the count and the events are committed together. */
@Injectable()
export class UsageMeter {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
  ) {}

  /**
   * How many of a batch's events the plan allows, so that no work is done on the others. Other batches may be stored at the
   * same time, so the count at commit decides. @throws ProblemException 401 if the organization was deleted
   */
  async shareOf(organizationId: string, events: number, now: Date): Promise<Share> {
    const current = (await this.of([organizationId], now)).get(organizationId);
    if (current === undefined) throw unauthorized('The organization was deleted, and its tokens with it.');
    const { hour, month } = current.usage;
    return shareOf(current.planId, { hour: hour.total, month: month.total }, events);
  }

  /**
   * Counts the events of a batch that is being stored, and tells the organization if some were dropped. Call it as the
   * last work of the transaction, because batches of an organization wait here for each other's commit.
   * @throws ShareTaken, and then the transaction must fail
   */
  async count(
    transaction: Transaction,
    publish: Publish,
    organizationId: string,
    { share: { planId, over }, kept, dropped }: Outcome & { readonly share: Share },
    now: Date,
  ): Promise<void> {
    if (kept === 0 && dropped === 0) return;
    const { hour, month } = plans[planId];
    const fits = sql`(${usage.total} + excluded.total
      <= CASE excluded.period WHEN 'hour' THEN ${hour}::bigint ELSE ${month}::bigint END) IS NOT FALSE`;
    const counted = await this.#add(transaction, organizationId, { kept, dropped }, now, fits);
    if (counted < periods.length) throw new ShareTaken();
    await this.#tell(transaction, publish, organizationId, over, now);
  }

  /** Counts a batch of which no event fits, tells the organization, and returns the refusal. */
  async refuse(
    organizationId: string,
    { planId, over }: Share,
    dropped: number,
    now: Date,
  ): Promise<ProblemException> {
    await this.transactions.run(async (transaction, publish) => {
      await this.#add(transaction, organizationId, { kept: 0, dropped }, now);
      await this.#tell(transaction, publish, organizationId, over, now);
    });
    const longest = over.includes('month') ? 'month' : 'hour';
    const limit = `The plan "${planId}" allows ${plans[planId][longest]} events ${longest === 'hour' ? 'an hour' : 'a month'}`;
    return new ProblemException(
      402,
      `${limit}, which are used up; no event of this batch was kept. Send it again after ${endOf(longest, now).toISOString()}, or change the plan.`,
    );
  }

  /** Adds to both periods where `fits` holds. Resolves with the number of periods for which it held. */
  async #add(
    transaction: Transaction,
    organizationId: string,
    { kept, dropped }: Outcome,
    now: Date,
    fits?: SQL,
  ): Promise<number> {
    const counted = await transaction
      .insert(usage)
      .values(
        periods.map((period) => ({
          organizationId,
          period,
          start: startOf(period, now),
          total: kept,
          dropped,
        })),
      )
      .onConflictDoUpdate({
        target: [usage.organizationId, usage.period, usage.start],
        set: {
          total: sql`${usage.total} + excluded.total`,
          dropped: sql`${usage.dropped} + excluded.dropped`,
        },
        ...(fits === undefined ? {} : { setWhere: fits }),
      })
      .returning({ period: usage.period });
    return counted.length;
  }

  /** Publishes `PlanOverage`, once in each period. */
  async #tell(
    transaction: Transaction,
    publish: Publish,
    organizationId: string,
    over: readonly Period[],
    now: Date,
  ): Promise<void> {
    if (over.length === 0) return;
    const told = await transaction
      .update(usage)
      .set({ isOver: true })
      .where(
        and(
          eq(usage.organizationId, organizationId),
          isCurrent(now),
          inArray(usage.period, [...over]),
          eq(usage.isOver, false),
        ),
      )
      .returning({ period: usage.period });
    for (const period of over) {
      if (!told.some((one) => one.period === period)) continue;
      publish({
        type: 'PlanOverage',
        message: { organization_id: organizationId, is_hourly: period === 'hour' },
      });
    }
  }

  /** Plans and current usage of organizations, by id. */
  async of(
    organizationIds: readonly string[],
    now: Date,
  ): Promise<ReadonlyMap<string, { planId: PlanId; usage: Usage }>> {
    if (organizationIds.length === 0) return new Map();
    const rows = await this.database
      .select({
        id: organizations.id,
        planId: organizations.planId,
        period: usage.period,
        total: usage.total,
        dropped: usage.dropped,
        isOver: usage.isOver,
      })
      .from(organizations)
      .leftJoin(usage, and(eq(usage.organizationId, organizations.id), isCurrent(now)))
      .where(inArray(organizations.id, [...organizationIds]));
    return new Map(
      organizationIds.flatMap((id) => {
        const own = rows.filter((row) => row.id === id);
        const planId = own[0]?.planId;
        if (planId === undefined) return [];
        const [hour, month] = periods.map((period) => {
          const { total, dropped, isOver } = own.find((row) => row.period === period) ?? {};
          return usageOf(planId, period, total ?? 0, dropped ?? 0, isOver ?? false);
        }) as [PeriodUsage, PeriodUsage];
        return [[id, { planId, usage: { hour, month } }] as const];
      }),
    );
  }

  /** Resets the overage notices for a new plan. Dropped events stay counted. */
  async forgive(queries: Queries, organizationId: string, now: Date): Promise<void> {
    // Locks rows in the order in which they are counted, so that the two do not deadlock.
    await queries
      .select()
      .from(usage)
      .where(and(eq(usage.organizationId, organizationId), isCurrent(now)))
      .orderBy(usage.period)
      .for('update');
    await queries
      .update(usage)
      .set({ isOver: false })
      .where(and(eq(usage.organizationId, organizationId), isCurrent(now)));
  }
}

const isCurrent = (now: Date) =>
  or(...periods.map((period) => and(eq(usage.period, period), eq(usage.start, startOf(period, now)))));

function usageOf(
  planId: PlanId,
  period: Period,
  total: number,
  dropped: number,
  wasTold: boolean,
): PeriodUsage {
  const limit = plans[planId][period];
  return { total, limit, dropped, isOver: wasTold || (limit !== null && total > limit) };
}
