import { Inject, Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol/catalog';
import { desc, eq, inArray, sql, type SQL } from 'drizzle-orm';
import type { UserCaller } from '../access/caller.js';
import { hashToken, newToken } from '../access/tokens.js';
import type { Database, Transaction } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { projects } from '../database/schema/organizations.js';
import { tokens } from '../database/schema/tokens.js';
import { Transactions } from '../database/transactions.js';
import { notFound } from '../http/problem.js';
import { tokenChanged } from '../identity/token-changed.js';
import { SETTINGS, type Settings } from '../process/settings.js';
import { enforceLimit } from './enforce-limit.js';
import { Organizations } from './organizations.js';
import type { Project } from './projects.js';

export type TokenRow = typeof tokens.$inferSelect;

/** What the maker of a token chooses. */
interface Choice {
  readonly scopes: string[];
  readonly notes: string | null;
}

/** A token that was just made; its secret is known here only. */
export interface NewToken {
  readonly row: TokenRow;
  readonly token: string;
}

// The literal lets PostgreSQL see that the index fits.
const isOfService = sql`${tokens.kind} = 'service'`;
/** Any number that no other lock has. */
const SERVICE_TOKENS_LOCK = 7_110_011;
const ONE_ROW = sql`(SELECT 1) AS one_row`;

/** Tokens that programs use: ingest tokens of projects, and tokens of services. */
@Injectable()
export class ApiTokens {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly transactions: Transactions,
    private readonly organizations: Organizations,
  ) {}

  /** A query for the tokens of a project, newest first. */
  ofProject(projectId: string) {
    return this.#those(eq(tokens.projectId, projectId));
  }

  /** A query for the tokens of services, newest first. */
  ofServices() {
    return this.#those(isOfService);
  }

  /** @throws ProblemException 404 if the project was deleted meanwhile, 409 if it has too many tokens */
  createForProject({ id: projectId, organizationId }: Project, choice: Choice): Promise<NewToken> {
    return this.#create({ kind: 'project', organizationId, projectId, ...choice }, async (transaction) => {
      const locked = await transaction
        .select({ id: projects.id })
        .from(projects)
        .where(eq(projects.id, projectId))
        .for('no key update');
      if (locked.length === 0) throw notFound('project');
      await enforceLimit(
        transaction.$count(tokens, eq(tokens.projectId, projectId)),
        this.settings.MAX_TOKENS_PER_PROJECT,
        (most) => `A project may have ${most} tokens; revoke one first.`,
      );
    });
  }

  /** `organizationId`: the only one that it may publish to; null: all. @throws ProblemException 404, or 409 at the limit */
  async createForService(organizationId: string | null, choice: Choice): Promise<NewToken> {
    if (organizationId !== null) await this.organizations.existing(organizationId);
    return this.#create({ kind: 'service', organizationId, ...choice }, async (transaction) => {
      // Tokens of services belong to no row that could be locked.
      await transaction.select({ locked: sql`pg_advisory_xact_lock(${SERVICE_TOKENS_LOCK})` }).from(ONE_ROW);
      await enforceLimit(
        transaction.$count(tokens, isOfService),
        this.settings.MAX_SERVICE_TOKENS,
        (most) => `There may be ${most} tokens of services; revoke one first.`,
      );
    });
  }

  /** Revokes tokens of any kind, all or none; their streams end at once. @throws ProblemException 404 */
  async revoke(caller: UserCaller, ids: string[]): Promise<void> {
    await this.transactions.run(async (transaction, publish) => {
      const rows = await transaction.select().from(tokens).where(inArray(tokens.id, ids)).for('update');
      if (rows.length < ids.length || !rows.every((row) => mayRevoke(caller, row))) throw notFound('token');
      await transaction.delete(tokens).where(inArray(tokens.id, ids));
      for (const row of rows) publish(tokenChanged(row, ChangeType.Removed));
    });
  }

  #those(which: SQL) {
    return this.database
      .select()
      .from(tokens)
      .where(which)
      .orderBy(desc(tokens.created), tokens.id)
      .$dynamic();
  }

  /** `admit` refuses one token too many, in the same transaction. */
  async #create(
    values: Omit<typeof tokens.$inferInsert, 'hash'>,
    admit: (transaction: Transaction) => Promise<void>,
  ): Promise<NewToken> {
    const token = newToken();
    return this.transactions.run(async (transaction, publish) => {
      await admit(transaction);
      const [row] = await transaction
        .insert(tokens)
        .values({ ...values, hash: hashToken(token) })
        .returning();
      if (row === undefined) throw new Error('an insert returned no row');
      publish(tokenChanged(row, ChangeType.Added));
      return { row, token };
    });
  }
}

function mayRevoke(caller: UserCaller, row: TokenRow): boolean {
  switch (row.kind) {
    case 'login':
      return row.userId === caller.userId;
    case 'project':
      return row.organizationId !== null && caller.organizationIds.includes(row.organizationId);
    case 'service':
      return caller.isAdministrator;
  }
}
