import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { desc, eq, inArray } from 'drizzle-orm';
import { z } from 'zod';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { tokens } from '../database/schema.js';
import { Transactions } from '../database/transactions.js';
import { notFound } from '../http/problem.js';
import { idSchema, idsSchema, line } from '../http/schemas.js';
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
  async list(@CallingUser() caller: UserCaller, @Param({ schema: idSchema }) { id }: { id: string }) {
    const project = await this.organizations.project(caller, id);
    const rows = await this.database
      .select()
      .from(tokens)
      .where(eq(tokens.projectId, project.id))
      .orderBy(desc(tokens.created), tokens.id);
    return rows.map(view);
  }

  @Post('projects/:id/tokens')
  @Allow('user')
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
  async createForService(@Body({ schema: serviceToken }) body: z.output<typeof serviceToken>) {
    const organizationId = body.organization_id ?? null;
    if (organizationId !== null) await this.organizations.existing(organizationId);
    return this.#create({ kind: 'service', organizationId, scopes: body.scopes, notes: body.notes ?? null });
  }

  @Delete('tokens/:ids')
  @Allow('user')
  @HttpCode(204)
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
      return { ...view(row), token };
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

function view({ id, organizationId, projectId, scopes, notes, created }: TokenRow) {
  return { id, organization_id: organizationId, project_id: projectId, scopes, notes, created_utc: created };
}
