import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { asc, eq, inArray, type SQL } from 'drizzle-orm';
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { memberships, projects } from '../database/schema/organizations.js';
import { tokens } from '../database/schema/tokens.js';
import { Transactions } from '../database/transactions.js';
import { Answers } from '../http/answers.js';
import { readPage } from '../http/page.js';
import { idSchema, instant, line, paging, uuid, type Paging } from '../http/schemas.js';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import { tokenChanged } from '../identity/token-changed.js';
import { entity, Organizations, type Project } from './organizations.js';

const newProject = z.object({ organization_id: uuid, name: line(100) });

const projectView = z.object({
  id: z.uuid(),
  organization_id: z.uuid(),
  name: z.string(),
  created_utc: instant,
});

const foreign = { 404: 'There is no such project for the caller.' };
const foreignOrganization = { 404: 'There is no such organization for the caller.' };

@Controller('api/v2')
@Allow('user')
export class ProjectsController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
    private readonly organizations: Organizations,
  ) {}

  @Get('projects')
  @Answers("The projects of the caller's organizations, by name", { body: projectView, list: true })
  list(
    @CallingUser() { userId }: UserCaller,
    @Query({ schema: paging }) query: Paging,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    const own = this.database
      .select({ id: memberships.organizationId })
      .from(memberships)
      .where(eq(memberships.userId, userId));
    return this.#page(inArray(projects.organizationId, own), query, request, response);
  }

  @Get('organizations/:id/projects')
  @Answers("An organization's projects, by name", {
    body: projectView,
    list: true,
    also: foreignOrganization,
  })
  async listOfOrganization(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: paging }) query: Paging,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    this.organizations.requireMember(caller, id);
    return this.#page(eq(projects.organizationId, id), query, request, response);
  }

  @Post('projects')
  @Answers('Makes a project', {
    status: 201,
    body: projectView,
    also: { ...foreignOrganization, 409: 'The organization has too many projects.' },
  })
  async create(
    @CallingUser() caller: UserCaller,
    @Body({ schema: newProject }) body: z.output<typeof newProject>,
  ) {
    this.organizations.requireMember(caller, body.organization_id);
    return toProjectView(await this.organizations.createProject(body.organization_id, body.name));
  }

  @Get('projects/:id')
  @Answers('A project', { body: projectView, also: foreign })
  async one(@CallingUser() caller: UserCaller, @Param({ schema: idSchema }) { id }: { id: string }) {
    return toProjectView(await this.organizations.project(caller, id));
  }

  @Delete('projects/:id')
  @Answers('Deletes a project with its tokens, stacks and events', { status: 204, also: foreign })
  async remove(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
  ): Promise<void> {
    const { organizationId } = await this.organizations.project(caller, id);
    await this.transactions.run(async (transaction, publish) => {
      const revoked = await transaction.delete(tokens).where(eq(tokens.projectId, id)).returning();
      await transaction.delete(projects).where(eq(projects.id, id));
      for (const token of revoked) publish(tokenChanged(token, ChangeType.Removed));
      publish({ type: 'ProjectChanged', message: entity('Project', id, organizationId, ChangeType.Removed) });
    });
  }

  async #page(where: SQL, query: Paging, request: Request, response: Response) {
    const found = this.database
      .select()
      .from(projects)
      .where(where)
      .orderBy(asc(projects.name), projects.id)
      .$dynamic();
    return (await readPage(this.database, found, query, request, response)).map(toProjectView);
  }
}

function toProjectView({ id, organizationId, name, created }: Project): z.input<typeof projectView> {
  return { id, organization_id: organizationId, name, created_utc: created };
}
