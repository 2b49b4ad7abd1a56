import { Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { and, desc, eq, inArray, type SQL } from 'drizzle-orm';
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { events, stacks, stackStatuses } from '../database/schema.js';
import { Transactions } from '../database/transactions.js';
import { notFound } from '../http/problem.js';
import { pageOf, window } from '../http/page.js';
import { idSchema, idsSchema, paging, type Paging } from '../http/schemas.js';
import { Allow, CallingUser, type UserCaller } from '../identity/caller.js';
import { Organizations } from '../organizations/organizations.js';

const listing = paging.extend({
  status: z.enum(stackStatuses, `must be one of ${stackStatuses.join(', ')}`).optional(),
  sort: z.enum(['last', 'first', 'occurrences'], 'must be last, first or occurrences').default('last'),
});
type Listing = z.output<typeof listing>;

const orders = {
  last: [desc(stacks.lastOccurrence), desc(stacks.id)],
  first: [desc(stacks.firstOccurrence), desc(stacks.id)],
  occurrences: [desc(stacks.totalOccurrences), desc(stacks.id)],
} as const;

/** Stacks and their events, for people. */
@Controller('api/v2')
@Allow('user')
export class StacksController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
    private readonly organizations: Organizations,
  ) {}

  @Get('organizations/:id/stacks')
  async listOfOrganization(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: listing }) query: Listing,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    this.organizations.requireMember(caller, id);
    return this.#stacks(eq(stacks.organizationId, id), query, request, response);
  }

  @Get('projects/:id/stacks')
  async listOfProject(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: listing }) query: Listing,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    await this.organizations.project(caller, id);
    return this.#stacks(eq(stacks.projectId, id), query, request, response);
  }

  @Get('stacks/:id')
  async one(@CallingUser() caller: UserCaller, @Param({ schema: idSchema }) { id }: { id: string }) {
    return stackView(await this.#stack(caller, id));
  }

  @Get('stacks/:id/events')
  async eventsOfStack(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: paging }) query: Paging,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    await this.#stack(caller, id);
    return this.#events(eq(events.stackId, id), query, request, response);
  }

  @Get('projects/:id/events')
  async eventsOfProject(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: paging }) query: Paging,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    await this.organizations.project(caller, id);
    return this.#events(eq(events.projectId, id), query, request, response);
  }

  @Get('events/:id')
  async event(@CallingUser() caller: UserCaller, @Param({ schema: idSchema }) { id }: { id: string }) {
    const [found] = await this.database.select().from(events).where(eq(events.id, id));
    if (found === undefined || !caller.organizationIds.includes(found.organizationId))
      throw notFound('event');
    return eventView(found);
  }

  @Post('stacks/:ids/mark-fixed')
  @HttpCode(200)
  async markFixed(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idsSchema }) { ids }: { ids: string[] },
  ): Promise<void> {
    await this.transactions.run(async (transaction, publish) => {
      // In the order of their ids, so that two requests cannot wait for each other.
      const rows = await transaction
        .select()
        .from(stacks)
        .where(inArray(stacks.id, ids))
        .orderBy(stacks.id)
        .for('update');
      const visible = rows.every(({ organizationId }) => caller.organizationIds.includes(organizationId));
      if (rows.length < ids.length || !visible) throw notFound('stack');
      await transaction
        .update(stacks)
        .set({ status: 'fixed', dateFixed: new Date(), snoozeUntil: null })
        .where(inArray(stacks.id, ids));
      for (const { id, organizationId, projectId, status } of rows) {
        if (status === 'fixed') continue;
        publish({
          type: 'StackChanged',
          message: {
            type: 'Stack',
            id,
            organization_id: organizationId,
            project_id: projectId,
            change_type: ChangeType.Saved,
            data: {},
          },
        });
      }
    });
  }

  async #stack(caller: UserCaller, id: string) {
    const [found] = await this.database.select().from(stacks).where(eq(stacks.id, id));
    if (found === undefined || !caller.organizationIds.includes(found.organizationId))
      throw notFound('stack');
    return found;
  }

  async #stacks(of: SQL, query: Listing, request: Request, response: Response) {
    const { limit, offset } = window(query);
    const status = query.status === undefined ? undefined : eq(stacks.status, query.status);
    const rows = await this.database
      .select()
      .from(stacks)
      .where(and(of, status))
      .orderBy(...orders[query.sort])
      .limit(limit)
      .offset(offset);
    return pageOf(rows, query, request, response).map(stackView);
  }

  async #events(of: SQL, query: Paging, request: Request, response: Response) {
    const { limit, offset } = window(query);
    const rows = await this.database
      .select()
      .from(events)
      .where(of)
      .orderBy(desc(events.date), desc(events.id))
      .limit(limit)
      .offset(offset);
    return pageOf(rows, query, request, response).map(eventView);
  }
}

function stackView(row: typeof stacks.$inferSelect) {
  return {
    id: row.id,
    organization_id: row.organizationId,
    project_id: row.projectId,
    type: row.type,
    status: row.status,
    title: row.title,
    total_occurrences: row.totalOccurrences,
    first_occurrence: row.firstOccurrence,
    last_occurrence: row.lastOccurrence,
    snooze_until_utc: row.snoozeUntil,
    date_fixed: row.dateFixed,
    occurrences_are_critical: row.occurrencesAreCritical,
    tags: row.tags,
  };
}

function eventView(row: typeof events.$inferSelect) {
  return {
    id: row.id,
    stack_id: row.stackId,
    project_id: row.projectId,
    organization_id: row.organizationId,
    type: row.type,
    message: row.message,
    date: row.date,
    data: row.data,
    tags: row.tags,
    reference_id: row.referenceId,
  };
}
