import { Inject, Injectable } from '@nestjs/common';
import { and, eq, inArray, or, sql } from 'drizzle-orm';
import type { Database, Queries, Transaction } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { organizations, usage } from '../database/schema.js';
import { Transactions } from '../database/transactions.js';
import { ProblemException, unauthorized } from '../http/problem.js';
import { endOf, periods, plans, startOf, type Period, type PlanId } from './plans.js';

/** What an organization has sent in the current period. */
export interface PeriodUsage {
  readonly total: number;
  readonly limit: number | null;
  /** Events were refused in this period, or more were sent than the plan allows. */
  readonly isOver: boolean;
}
export type Usage = Readonly<Record<Period, PeriodUsage>>;

/** A batch that does not fit. Nothing of it is kept. */
export class OverPlan extends Error {
  constructor(
    readonly planId: PlanId,
    readonly over: readonly Period[],
    /** The batch alone is larger than the limit, so waiting does not help. */
    readonly neverFits = false,
  ) {
    super(`over the ${over.join(' and ')} limit of the plan ${planId}`);
  }
}

/** Counts events by month and hour, exactly: the count and the events are committed together. */
@Injectable()
export class UsageMeter {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
  ) {}

  /**
   * The plan that a batch is counted against, if so many events still fit: a batch that does not is refused before there
   * is any work on it. Others may be on their way, so the count at commit decides.
   * @throws OverPlan, or ProblemException 401 if the organization is gone
   */
  async planWithRoom(organizationId: string, events: number, now: Date): Promise<PlanId> {
    const current = (await this.of([organizationId], now)).get(organizationId);
    if (current === undefined) throw unauthorized('The organization was deleted, and its tokens with it.');
    const { planId, usage: used } = current;
    const over = periods.filter((period) => events > roomOf(used[period]));
    if (over.length > 0) throw new OverPlan(planId, over, events > smallestOf(planId));
    return planId;
  }

  /**
   * Counts events of a batch that is being stored. Last in its transaction, since organizations wait here for each
   * other's commit. @throws OverPlan, and then the transaction must fail
   */
  async count(
    transaction: Transaction,
    organizationId: string,
    planId: PlanId,
    events: number,
    now: Date,
  ): Promise<void> {
    if (events === 0) return;
    const { hour, month } = plans[planId];
    const counted = await transaction
      .insert(usage)
      .values(
        periods.map((period) => ({ organizationId, period, start: startOf(period, now), total: events })),
      )
      .onConflictDoUpdate({
        target: [usage.organizationId, usage.period, usage.start],
        set: { total: sql`${usage.total} + excluded.total` },
        setWhere: sql`(${usage.total} + excluded.total
          <= CASE excluded.period WHEN 'hour' THEN ${hour}::bigint ELSE ${month}::bigint END) IS NOT FALSE`,
      })
      .returning({ period: usage.period });
    const over = periods.filter((period) => !counted.some((one) => one.period === period));
    if (over.length > 0) throw new OverPlan(planId, over);
  }

  /** Tells the organization, once in each period, and answers with the refusal. */
  async refuse(
    organizationId: string,
    { planId, over, neverFits }: OverPlan,
    now: Date,
  ): Promise<ProblemException> {
    await this.transactions.run(async (transaction, publish) => {
      for (const period of over) {
        const told = await transaction
          .insert(usage)
          .values({ organizationId, period, start: startOf(period, now), isOver: true })
          .onConflictDoUpdate({
            target: [usage.organizationId, usage.period, usage.start],
            set: { isOver: true },
            setWhere: eq(usage.isOver, false),
          })
          .returning({ period: usage.period });
        if (told.length === 0) continue;
        publish({
          type: 'PlanOverage',
          message: { organization_id: organizationId, is_hourly: period === 'hour' },
        });
      }
    });
    const longest = over.includes('month') ? 'month' : 'hour';
    const limit = `The plan "${planId}" allows ${plans[planId][longest]} events ${longest === 'hour' ? 'an hour' : 'a month'}`;
    const remedy = neverFits ? 'Send fewer at once' : `Send again after ${endOf(longest, now).toISOString()}`;
    return new ProblemException(
      402,
      `${limit}, and this batch does not fit; nothing of it was kept. ${remedy}, or change the plan.`,
    );
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
          const { total, isOver } = own.find((row) => row.period === period) ?? {};
          return usageOf(planId, period, total ?? 0, isOver ?? false);
        }) as [PeriodUsage, PeriodUsage];
        return [[id, { planId, usage: { hour, month } }] as const];
      }),
    );
  }

  /** A new plan begins with nothing refused. */
  async forgive(queries: Queries, organizationId: string, now: Date): Promise<void> {
    // In the order in which they are counted, so that neither waits for the other.
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

function usageOf(planId: PlanId, period: Period, total: number, wasRefused: boolean): PeriodUsage {
  const limit = plans[planId][period];
  return { total, limit, isOver: wasRefused || (limit !== null && total > limit) };
}

const roomOf = ({ total, limit }: PeriodUsage): number => (limit === null ? Infinity : limit - total);

/** What no batch may exceed, however long it waits. */
const smallestOf = (planId: PlanId): number =>
  Math.min(...periods.map((period) => plans[planId][period] ?? Infinity));
