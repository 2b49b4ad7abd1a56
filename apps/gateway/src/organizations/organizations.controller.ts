import { Body, Controller, Delete, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { asc, eq } from 'drizzle-orm';
import { z } from 'zod';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { users } from '../database/schema/accounts.js';
import { memberships, organizations, planIds } from '../database/schema/organizations.js';
import { Answers } from '../http/answers.js';
import { Page, paging, type Paging } from '../http/page.js';
import { emailAddress, idSchema, instant, line } from '../http/schemas.js';
import { toUserView, userView } from '../identity/user-view.js';
import { Organizations, type Organization } from './organizations.js';
import { plans } from './plans.js';
import { UsageMeter, type PeriodUsage } from './usage.js';

const newOrganization = z.object({ name: line(100) });
const member = idSchema.extend({ email: emailAddress });
const planChoice = z.object({ planId: z.enum(planIds, `must be one of ${planIds.join(', ')}`) });

const periodUsageView = z.object({
  total: z.int(),
  limit: z.int().nullable().meta({ description: 'null: no limit' }),
  dropped: z.int().meta({ description: 'events dropped because the plan was used up' }),
});
const organizationView = z.object({
  id: z.uuid(),
  name: z.string(),
  plan_id: z.enum(planIds),
  created_utc: instant,
  usage: z.object({ month: periodUsageView, hour: periodUsageView }),
  is_over_monthly_limit: z.boolean(),
  is_over_hourly_limit: z.boolean(),
});

const planLimit = z.int().nullable().meta({ description: 'events in a period; null: any number' });
const plansView = z.object({
  plans: z.array(z.object({ id: z.enum(planIds), limits: z.object({ month: planLimit, hour: planLimit }) })),
});

const foreign = { 404: 'There is no such organization for the caller.' };

@Controller('api/v2/organizations')
@Allow('user')
export class OrganizationsController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly organizations: Organizations,
    private readonly usage: UsageMeter,
  ) {}

  @Get()
  @Answers("The caller's organizations, by name", { body: organizationView, list: true })
  async list(@CallingUser() { userId }: UserCaller, @Query({ schema: paging }) query: Paging) {
    const found = this.database
      .select({ organization: organizations })
      .from(organizations)
      .innerJoin(memberships, eq(memberships.organizationId, organizations.id))
      .where(eq(memberships.userId, userId))
      .orderBy(asc(organizations.name), organizations.id)
      .$dynamic();
    const page = await Page.read(this.database, found, query);
    return page.with(await this.#view(page.rows.map(({ organization }) => organization)));
  }

  @Post()
  @Answers('Creates an organization with the caller as its first member', {
    status: 201,
    body: organizationView,
    also: { 409: 'The account is in too many organizations.' },
  })
  async create(
    @CallingUser() { userId }: UserCaller,
    @Body({ schema: newOrganization }) { name }: z.output<typeof newOrganization>,
  ) {
    return this.#viewOne(await this.organizations.create(userId, name));
  }

  @Get(':id')
  @Answers('An organization', { body: organizationView, also: foreign })
  async one(@CallingUser() caller: UserCaller, @Param({ schema: idSchema }) { id }: { id: string }) {
    this.organizations.requireMember(caller, id);
    return this.#viewOne(await this.organizations.existing(id));
  }

  @Get(':id/plans')
  @Answers('The plans that an organization can have, with their limits', { body: plansView, also: foreign })
  plans(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
  ): z.input<typeof plansView> {
    this.organizations.requireMember(caller, id);
    return { plans: planIds.map((planId) => ({ id: planId, limits: plans[planId] })) };
  }

  @Post(':id/change-plan')
  @Answers('Changes the plan; the organization no longer counts as over its limit', {
    body: organizationView,
    also: foreign,
  })
  async changePlan(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: planChoice }) { planId }: z.output<typeof planChoice>,
  ) {
    this.organizations.requireMember(caller, id);
    return this.#viewOne(await this.organizations.changePlan(id, planId));
  }

  @Get(':id/users')
  @Answers('The members, by address', { body: userView, list: true, also: foreign })
  async members(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: paging }) query: Paging,
  ) {
    this.organizations.requireMember(caller, id);
    const found = this.database
      .select({ user: users })
      .from(memberships)
      .innerJoin(users, eq(users.id, memberships.userId))
      .where(eq(memberships.organizationId, id))
      .orderBy(asc(users.email))
      .$dynamic();
    return (await Page.read(this.database, found, query)).map(({ user }) => toUserView(user));
  }

  @Delete(':id/users/:email')
  @Answers('Removes a member, who may be the caller', {
    status: 204,
    also: {
      404: 'There is no such organization for the caller, or it has no such member.',
      409: 'It is the last member.',
    },
  })
  async removeMember(
    @CallingUser() caller: UserCaller,
    @Param({ schema: member }) { id, email }: z.output<typeof member>,
  ): Promise<void> {
    this.organizations.requireMember(caller, id);
    await this.organizations.removeMember(id, email);
  }

  async #viewOne(organization: Organization) {
    const [view] = await this.#view([organization]);
    return view;
  }

  async #view(rows: readonly Organization[]) {
    const now = new Date();
    const current = await this.usage.of(
      rows.map(({ id }) => id),
      now,
    );
    return rows.flatMap(({ id, name, created }): z.input<typeof organizationView>[] => {
      const { planId, usage } = current.get(id) ?? {};
      if (planId === undefined || usage === undefined) return [];
      return [
        {
          id,
          name,
          plan_id: planId,
          created_utc: created,
          usage: { month: toPeriodView(usage.month), hour: toPeriodView(usage.hour) },
          is_over_monthly_limit: usage.month.isOver,
          is_over_hourly_limit: usage.hour.isOver,
        },
      ];
    });
  }
}

const toPeriodView = ({ total, limit, dropped }: PeriodUsage) => ({ total, limit, dropped });
