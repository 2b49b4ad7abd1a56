import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { desc, eq, inArray } from 'drizzle-orm';
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { tokens } from '../database/schema.js';
import { Transactions } from '../database/transactions.js';
import { Answers } from '../http/answers.js';
import { pageOf, window } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { idSchema, idsSchema, instant, line, paging, type Paging } from '../http/schemas.js';
import { Organizations } from '../organizations/organizations.js';
import { Allow, CallingUser, type UserCaller } from './caller.js';
import { tokenChanged } from './token-changed.js';
import { hashToken, newToken } from './tokens.js';

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
  organization_id: z.uuid('must be a UUID').optional(),
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
const newTokenView = tokenView.extend({ token: z.string().meta({ description: 'Shown this once.' }) });

type TokenRow = typeof tokens.$inferSelect;

/** Ingest tokens of projects, tokens of services, and the end of any of them. */
@Controller('api/v2')
export class TokensController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
    private readonly organizations: Organizations,
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
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    const project = await this.organizations.project(caller, id);
    const { limit, offset } = window(query);
    const rows = await this.database
      .select()
      .from(tokens)
      .where(eq(tokens.projectId, project.id))
      .orderBy(desc(tokens.created), tokens.id)
      .limit(limit)
      .offset(offset);
    return pageOf(rows, query, request, response).map(toTokenView);
  }

  @Post('projects/:id/tokens')
  @Allow('user')
  @Answers('Makes an ingest token of a project', {
    status: 201,
    body: newTokenView,
    also: { 404: 'There is no such project for the caller.' },
  })
  async createForProject(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Body({ schema: projectToken.default({ scopes: ['client'] }) })
    { scopes, notes }: z.output<typeof projectToken>,
  ) {
    const project = await this.organizations.project(caller, id);
    return this.#create({
      kind: 'project',
      organizationId: project.organizationId,
      projectId: project.id,
      scopes,
      notes: notes ?? null,
    });
  }

  @Post('tokens')
  @Allow('administrator')
  @Answers('Makes a token of a service, which may publish: to one organization, or to all', {
    status: 201,
    body: newTokenView,
    also: { 404: 'There is no such organization.' },
  })
  async createForService(@Body({ schema: serviceToken }) body: z.output<typeof serviceToken>) {
    const organizationId = body.organization_id ?? null;
    if (organizationId !== null) await this.organizations.existing(organizationId);
    return this.#create({ kind: 'service', organizationId, scopes: body.scopes, notes: body.notes ?? null });
  }

  @Delete('tokens/:ids')
  @Allow('user')
  @Answers('Revokes tokens, all or none; their streams end at once', {
    status: 204,
    also: { 404: 'One of them does not exist for the caller; none was revoked.' },
  })
  async remove(@CallingUser() caller: UserCaller, @Param({ schema: idsSchema }) { ids }: { ids: string[] }) {
    await this.transactions.run(async (transaction, publish) => {
      const rows = await transaction.select().from(tokens).where(inArray(tokens.id, ids)).for('update');
      if (rows.length < ids.length || !rows.every((row) => mayRemove(caller, row))) throw notFound('token');
      await transaction.delete(tokens).where(inArray(tokens.id, ids));
      for (const row of rows) publish(tokenChanged(row, ChangeType.Removed));
    });
  }

  async #create(values: Omit<typeof tokens.$inferInsert, 'hash'>) {
    const token = newToken();
    return this.transactions.run(async (transaction, publish) => {
      const [row] = await transaction
        .insert(tokens)
        .values({ ...values, hash: hashToken(token) })
        .returning();
      if (row === undefined) throw new Error('an insert returned no row');
      publish(tokenChanged(row, ChangeType.Added));
      return { ...toTokenView(row), token };
    });
  }
}

function mayRemove(caller: UserCaller, row: TokenRow): boolean {
  switch (row.kind) {
    case 'login':
      return row.userId === caller.userId;
    case 'project':
      return row.organizationId !== null && caller.organizationIds.includes(row.organizationId);
    case 'service':
      return caller.isAdministrator;
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
