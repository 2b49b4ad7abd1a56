import { Body, Controller, Delete, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { Answers } from '../http/answers.js';
import { Page, paging, type Paging } from '../http/page.js';
import { idSchema, idsSchema, instant, line, uuid } from '../http/schemas.js';
import { ApiTokens, type NewToken, type TokenRow } from './api-tokens.js';
import { Projects } from './projects.js';

const projectToken = z.object({
  scopes: z
    .array(z.enum(['client', 'push:subscribe'], 'must be "client" or "push:subscribe"'))
    .min(1, 'must name at least one scope')
    .default(['client'])
    .transform((scopes) => [...new Set(scopes)]),
  notes: line(500).optional(),
});

const serviceToken = z.object({
  scopes: z.array(z.literal('push:publish', 'must be "push:publish"')).length(1, 'must be ["push:publish"]'),
  organization_id: uuid.optional(),
  notes: line(500).optional(),
});

const tokenView = z.object({
  id: z.uuid(),
  organization_id: z.uuid().nullable(),
  project_id: z.uuid().nullable(),
  scopes: z.array(z.string()),
  notes: z.string().nullable(),
  created_utc: instant,
});
const serviceTokenView = tokenView.extend({ last_used_utc: instant.nullable() });
const newTokenView = tokenView.extend({ token: z.string().meta({ description: 'Shown only this once.' }) });

/** Ingest tokens of projects, tokens of services, and the revocation of any token. */
@Controller('api/v2')
export class TokensController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly tokens: ApiTokens,
    private readonly projects: Projects,
  ) {}

  @Get('projects/:id/tokens')
  @Allow('user')
  @Answers("A project's ingest tokens, newest first, without their secrets", {
    body: tokenView,
    list: true,
    also: { 404: 'There is no such project for the caller.' },
  })
  async list(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: paging }) query: Paging,
  ) {
    const project = await this.projects.one(caller, id);
    return (await Page.read(this.database, this.tokens.ofProject(project.id), query)).map(toTokenView);
  }

  @Post('projects/:id/tokens')
  @Allow('user')
  @Answers('Creates an ingest token of a project', {
    status: 201,
    body: newTokenView,
    also: { 404: 'There is no such project for the caller.', 409: 'The project has too many tokens.' },
  })
  async createForProject(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Body({ schema: projectToken.default({ scopes: ['client'] }) })
    { scopes, notes }: z.output<typeof projectToken>,
  ) {
    const project = await this.projects.one(caller, id);
    return toNewTokenView(await this.tokens.createForProject(project, { scopes, notes: notes ?? null }));
  }

  @Get('tokens')
  @Allow('administrator')
  @Answers('The tokens of services, newest first, without their secrets', {
    body: serviceTokenView,
    list: true,
  })
  async listOfServices(@Query({ schema: paging }) query: Paging) {
    const page = await Page.read(this.database, this.tokens.ofServices(), query);
    return page.map((row): z.input<typeof serviceTokenView> => ({
      ...toTokenView(row),
      last_used_utc: row.lastUsed,
    }));
  }

  @Post('tokens')
  @Allow('administrator')
  @Answers('Creates a token with which a service publishes: to one organization, or to all', {
    status: 201,
    body: newTokenView,
    also: { 404: 'There is no such organization.', 409: 'There are too many tokens of services.' },
  })
  async createForService(
    @Body({ schema: serviceToken })
    { organization_id: organizationId, scopes, notes }: z.output<typeof serviceToken>,
  ) {
    const choice = { scopes, notes: notes ?? null };
    return toNewTokenView(await this.tokens.createForService(organizationId ?? null, choice));
  }

  @Delete('tokens/:ids')
  @Allow('user')
  @Answers('Revokes tokens, all or none; their streams end at once', {
    status: 204,
    also: { 404: 'One of them does not exist for the caller; none was revoked.' },
  })
  async remove(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idsSchema }) { ids }: { ids: string[] },
  ): Promise<void> {
    await this.tokens.revoke(caller, ids);
  }
}

function toTokenView({
  id,
  organizationId,
  projectId,
  scopes,
  notes,
  created,
}: TokenRow): z.input<typeof tokenView> {
  return { id, organization_id: organizationId, project_id: projectId, scopes, notes, created_utc: created };
}

const toNewTokenView = ({ row, token }: NewToken): z.input<typeof newTokenView> => ({
  ...toTokenView(row),
  token,
});
