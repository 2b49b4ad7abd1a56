import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { desc, eq, inArray, sql } from 'drizzle-orm';
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Database, Transaction } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { projects } from '../database/schema/organizations.js';
import { tokens } from '../database/schema/tokens.js';
import { Transactions } from '../database/transactions.js';
import { Answers } from '../http/answers.js';
import { readPage } from '../http/page.js';
import { notFound } from '../http/problem.js';
import { idSchema, idsSchema, instant, line, paging, uuid, type Paging } from '../http/schemas.js';
import { Organizations } from './organizations.js';
import { enforceLimit } from './enforce-limit.js';
import { SETTINGS, type Settings } from '../process/settings.js';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import { tokenChanged } from '../identity/token-changed.js';
import { hashToken, newToken } from '../access/tokens.js';

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
const newTokenView = tokenView.extend({ token: z.string().meta({ description: 'Shown this once.' }) });

type TokenRow = typeof tokens.$inferSelect;

/** Ingest tokens of projects, tokens of services, and the end of any of them. */
@Controller('api/v2')
export class TokensController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: Settings,
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
    const found = this.database
      .select()
      .from(tokens)
      .where(eq(tokens.projectId, project.id))
      .orderBy(desc(tokens.created), tokens.id)
      .$dynamic();
    return (await readPage(this.database, found, query, request, response)).map(toTokenView);
  }

  @Post('projects/:id/tokens')
  @Allow('user')
  @Answers('Makes an ingest token of a project', {
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
    const project = await this.organizations.project(caller, id);
    const { organizationId } = project;
    return this.#create(
      { kind: 'project', organizationId, projectId: id, scopes, notes: notes ?? null },
      async (transaction) => {
        const locked = await transaction
          .select({ id: projects.id })
          .from(projects)
          .where(eq(projects.id, id))
          .for('no key update');
        if (locked.length === 0) throw notFound('project');
        await enforceLimit(
          transaction.$count(tokens, eq(tokens.projectId, id)),
          this.settings.MAX_TOKENS_PER_PROJECT,
          (most) => `A project may have ${most} tokens; revoke one first.`,
        );
      },
    );
  }

  @Get('tokens')
  @Allow('administrator')
  @Answers('The tokens of services, newest first, without their secrets', {
    body: serviceTokenView,
    list: true,
  })
  async listOfServices(
    @Query({ schema: paging }) query: Paging,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    const found = this.database
      .select()
      .from(tokens)
      .where(isOfService)
      .orderBy(desc(tokens.created), tokens.id)
      .$dynamic();
    return (await readPage(this.database, found, query, request, response)).map(
      (row): z.input<typeof serviceTokenView> => ({
        ...toTokenView(row),
        last_used_utc: row.lastUsed,
      }),
    );
  }

  @Post('tokens')
  @Allow('administrator')
  @Answers('Makes a token of a service, which may publish: to one organization, or to all', {
    status: 201,
    body: newTokenView,
    also: { 404: 'There is no such organization.', 409: 'There are too many tokens of services.' },
  })
  async createForService(@Body({ schema: serviceToken }) body: z.output<typeof serviceToken>) {
    const organizationId = body.organization_id ?? null;
    if (organizationId !== null) await this.organizations.existing(organizationId);
    return this.#create(
      { kind: 'service', organizationId, scopes: body.scopes, notes: body.notes ?? null },
      async (transaction) => {
        // They belong to no row that could be locked.
        await transaction
          .select({ locked: sql`pg_advisory_xact_lock(${SERVICE_TOKENS_LOCK})` })
          .from(ONE_ROW);
        await enforceLimit(
          transaction.$count(tokens, isOfService),
          this.settings.MAX_SERVICE_TOKENS,
          (most) => `There may be ${most} tokens of services; revoke one first.`,
        );
      },
    );
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

  /** `admit` refuses what would be one too many, in the same transaction. */
  async #create(
    values: Omit<typeof tokens.$inferInsert, 'hash'>,
    admit: (transaction: Transaction) => Promise<void>,
  ) {
    const token = newToken();
    return this.transactions.run(async (transaction, publish) => {
      await admit(transaction);
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

// The literal lets PostgreSQL see that the index fits.
const isOfService = sql`${tokens.kind} = 'service'`;
/** Any number that no other lock has. */
const SERVICE_TOKENS_LOCK = 7_110_011;
const ONE_ROW = sql`(SELECT 1) AS one_row`;

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
