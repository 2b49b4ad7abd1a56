import { Controller, Delete, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { and, desc, eq, ilike, type SQL } from 'drizzle-orm';
import { z } from 'zod';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { events, stacks, stackStatuses } from '../database/schema/events.js';
import { Answers } from '../http/answers.js';
import { Page, paging, type Paging } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { futureInstant, idSchema, idsSchema, lookedFor } from '../http/schemas.js';
import { Organizations } from '../organizations/organizations.js';
import { Projects } from '../organizations/projects.js';
import { eventView, stackView, toEventView, toStackView } from './stack-view.js';
import { Stacks, statusChange } from './stacks.js';

/** Words of a search that count. */
const MOST_WORDS = 10;

const status = z.enum(stackStatuses, `must be one of ${stackStatuses.join(', ')}`);
const listing = paging.extend({
  status: status.optional(),
  q: lookedFor(200)
    .transform((text) => text.split(/\s+/).filter(Boolean).slice(0, MOST_WORDS))
    .optional(),
  sort: z.enum(['last', 'first', 'occurrences'], 'must be last, first or occurrences').default('last'),
});
type Listing = z.output<typeof listing>;

const orders = {
  last: [desc(stacks.lastOccurrence), desc(stacks.id)],
  first: [desc(stacks.firstOccurrence), desc(stacks.id)],
  occurrences: [desc(stacks.totalOccurrences), desc(stacks.id)],
} as const;

const newStatus = z.object({ status });
const snooze = z.object({ snoozeUntilUtc: futureInstant });

const foreign = { 404: 'There is no such stack for the caller.' };
const oneIsForeign = { 404: 'One of them does not exist for the caller; none was changed.' };

/** Stacks and their events, for users. */
@Controller('api/v2')
@Allow('user')
export class StacksController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly stacks: Stacks,
    private readonly organizations: Organizations,
    private readonly projects: Projects,
  ) {}

  @Get('organizations/:id/stacks')
  @Answers("An organization's stacks; `q`: words in the title", {
    body: stackView,
    list: true,
    also: { 404: 'There is no such organization for the caller.' },
  })
  async listOfOrganization(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: listing }) query: Listing,
  ) {
    this.organizations.requireMember(caller, id);
    return this.#stacks(eq(stacks.organizationId, id), query);
  }

  @Get('projects/:id/stacks')
  @Answers("A project's stacks; `q`: words in the title", {
    body: stackView,
    list: true,
    also: { 404: 'There is no such project for the caller.' },
  })
  async listOfProject(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: listing }) query: Listing,
  ) {
    await this.projects.one(caller, id);
    return this.#stacks(eq(stacks.projectId, id), query);
  }

  @Get('stacks/:id')
  @Answers('A stack', { body: stackView, also: foreign })
  async one(@CallingUser() caller: UserCaller, @Param({ schema: idSchema }) { id }: { id: string }) {
    return toStackView(await this.stacks.one(caller, id));
  }

  @Get('stacks/:id/events')
  @Answers("A stack's events, newest first", { body: eventView, list: true, also: foreign })
  async eventsOfStack(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: paging }) query: Paging,
  ) {
    await this.stacks.one(caller, id);
    return this.#events(eq(events.stackId, id), query);
  }

  @Get('projects/:id/events')
  @Answers("A project's events, newest first", {
    body: eventView,
    list: true,
    also: { 404: 'There is no such project for the caller.' },
  })
  async eventsOfProject(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: paging }) query: Paging,
  ) {
    await this.projects.one(caller, id);
    return this.#events(eq(events.projectId, id), query);
  }

  @Get('events/:id')
  @Answers('An event', { body: eventView, also: { 404: 'There is no such event for the caller.' } })
  async event(@CallingUser() caller: UserCaller, @Param({ schema: idSchema }) { id }: { id: string }) {
    const [found] = await this.database.select().from(events).where(eq(events.id, id));
    if (found === undefined || !caller.organizationIds.includes(found.organizationId))
      throw notFound('event');
    return toEventView(found);
  }

  @Post('stacks/:ids/change-status')
  @Answers('Changes the status of stacks', { also: oneIsForeign })
  changeStatus(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idsSchema }) { ids }: { ids: string[] },
    @Query({ schema: newStatus }) query: z.output<typeof newStatus>,
  ): Promise<void> {
    return this.stacks.change(caller, ids, statusChange(query.status, new Date()));
  }

  @Post('stacks/:ids/mark-fixed')
  @Answers('Marks stacks as fixed; a later event makes a stack regressed', { also: oneIsForeign })
  markFixed(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idsSchema }) { ids }: { ids: string[] },
  ): Promise<void> {
    return this.stacks.change(caller, ids, statusChange('fixed', new Date()));
  }

  @Post('stacks/:ids/mark-snoozed')
  @Answers('Snoozes stacks until a date, when they are open again', { also: oneIsForeign })
  markSnoozed(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idsSchema }) { ids }: { ids: string[] },
    @Query({ schema: snooze }) { snoozeUntilUtc }: z.output<typeof snooze>,
  ): Promise<void> {
    return this.stacks.change(caller, ids, statusChange('snoozed', new Date(), snoozeUntilUtc));
  }

  @Post('stacks/:ids/mark-critical')
  @Answers('Marks the occurrences of stacks as critical', { also: oneIsForeign })
  markCritical(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idsSchema }) { ids }: { ids: string[] },
  ): Promise<void> {
    return this.stacks.change(caller, ids, { occurrencesAreCritical: true });
  }

  @Delete('stacks/:ids/mark-critical')
  @Answers('Marks the occurrences of stacks as not critical', { also: oneIsForeign })
  unmarkCritical(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idsSchema }) { ids }: { ids: string[] },
  ): Promise<void> {
    return this.stacks.change(caller, ids, { occurrencesAreCritical: false });
  }

  @Delete('stacks/:ids')
  @Answers('Deletes stacks with their events', { status: 204, also: oneIsForeign })
  remove(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idsSchema }) { ids }: { ids: string[] },
  ): Promise<void> {
    return this.stacks.remove(caller, ids);
  }

  async #stacks(of: SQL, query: Listing) {
    const found = this.database
      .select()
      .from(stacks)
      .where(
        and(
          of,
          query.status === undefined ? undefined : eq(stacks.status, query.status),
          ...(query.q ?? []).map((word) => ilike(stacks.title, `%${word.replace(/[\\%_]/g, '\\$&')}%`)),
        ),
      )
      .orderBy(...orders[query.sort])
      .$dynamic();
    return (await Page.read(this.database, found, query)).map(toStackView);
  }

  async #events(of: SQL, query: Paging) {
    const found = this.database
      .select()
      .from(events)
      .where(of)
      .orderBy(desc(events.date), desc(events.id))
      .$dynamic();
    return (await Page.read(this.database, found, query)).map(toEventView);
  }
}
