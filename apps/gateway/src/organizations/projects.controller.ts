import { Body, Controller, Delete, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { Answers } from '../http/answers.js';
import { Page, paging, type Paging } from '../http/page.js';
import { idSchema, instant, line, uuid } from '../http/schemas.js';
import { Organizations } from './organizations.js';
import { Projects, type Project } from './projects.js';

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
    private readonly projects: Projects,
    private readonly organizations: Organizations,
  ) {}

  @Get('projects')
  @Answers("The projects of the caller's organizations, by name", { body: projectView, list: true })
  async list(@CallingUser() { userId }: UserCaller, @Query({ schema: paging }) query: Paging) {
    return (await Page.read(this.database, this.projects.ofUser(userId), query)).map(toProjectView);
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
  ) {
    this.organizations.requireMember(caller, id);
    return (await Page.read(this.database, this.projects.ofOrganization(id), query)).map(toProjectView);
  }

  @Post('projects')
  @Answers('Creates a project', {
    status: 201,
    body: projectView,
    also: { ...foreignOrganization, 409: 'The organization has too many projects.' },
  })
  async create(
    @CallingUser() caller: UserCaller,
    @Body({ schema: newProject }) body: z.output<typeof newProject>,
  ) {
    this.organizations.requireMember(caller, body.organization_id);
    return toProjectView(await this.projects.create(body.organization_id, body.name));
  }

  @Get('projects/:id')
  @Answers('A project', { body: projectView, also: foreign })
  async one(@CallingUser() caller: UserCaller, @Param({ schema: idSchema }) { id }: { id: string }) {
    return toProjectView(await this.projects.one(caller, id));
  }

  @Delete('projects/:id')
  @Answers('Deletes a project with its tokens, stacks and events', { status: 204, also: foreign })
  async remove(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
  ): Promise<void> {
    await this.projects.remove(caller, id);
  }
}

function toProjectView({ id, organizationId, name, created }: Project): z.input<typeof projectView> {
  return { id, organization_id: organizationId, name, created_utc: created };
}
