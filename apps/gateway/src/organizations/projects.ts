import { Inject, Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol/catalog';
import { asc, eq, inArray, type SQL } from 'drizzle-orm';
import type { UserCaller } from '../access/caller.js';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { memberships, projects } from '../database/schema/organizations.js';
import { tokens } from '../database/schema/tokens.js';
import { Transactions } from '../database/transactions.js';
import { notFound } from '../http/problem.js';
import { tokenChanged } from '../identity/token-changed.js';
import { SETTINGS, type Settings } from '../process/settings.js';
import { enforceLimit } from './enforce-limit.js';
import { entity, Organizations } from './organizations.js';

export type Project = typeof projects.$inferSelect;

/** Projects of organizations. A project of a foreign organization does not exist for the caller. */
@Injectable()
export class Projects {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly transactions: Transactions,
    private readonly organizations: Organizations,
  ) {}

  /** @throws ProblemException 404 */
  async one(caller: UserCaller, id: string): Promise<Project> {
    const [found] = await this.database.select().from(projects).where(eq(projects.id, id));
    if (found === undefined || !caller.organizationIds.includes(found.organizationId))
      throw notFound('project');
    return found;
  }

  /** A query for the projects of a user's organizations, by name. */
  ofUser(userId: string) {
    const own = this.database
      .select({ id: memberships.organizationId })
      .from(memberships)
      .where(eq(memberships.userId, userId));
    return this.#those(inArray(projects.organizationId, own));
  }

  /** A query for the projects of an organization, by name. */
  ofOrganization(organizationId: string) {
    return this.#those(eq(projects.organizationId, organizationId));
  }

  /** @throws ProblemException 409 if the organization has too many */
  create(organizationId: string, name: string): Promise<Project> {
    return this.transactions.run(async (transaction, publish) => {
      await this.organizations.lock(transaction, organizationId);
      await enforceLimit(
        transaction.$count(projects, eq(projects.organizationId, organizationId)),
        this.settings.MAX_PROJECTS_PER_ORGANIZATION,
        (most) => `An organization may have ${most} projects; delete one first.`,
      );
      const [made] = await transaction.insert(projects).values({ organizationId, name }).returning();
      if (made === undefined) throw new Error('an insert returned no row');
      publish({
        type: 'ProjectChanged',
        message: entity('Project', made.id, organizationId, ChangeType.Added),
      });
      return made;
    });
  }

  /** Deletes a project with its tokens, stacks and events. @throws ProblemException 404 */
  async remove(caller: UserCaller, id: string): Promise<void> {
    const { organizationId } = await this.one(caller, id);
    await this.transactions.run(async (transaction, publish) => {
      const revoked = await transaction.delete(tokens).where(eq(tokens.projectId, id)).returning();
      await transaction.delete(projects).where(eq(projects.id, id));
      for (const token of revoked) publish(tokenChanged(token, ChangeType.Removed));
      publish({ type: 'ProjectChanged', message: entity('Project', id, organizationId, ChangeType.Removed) });
    });
  }

  #those(which: SQL) {
    return this.database
      .select()
      .from(projects)
      .where(which)
      .orderBy(asc(projects.name), projects.id)
      .$dynamic();
  }
}
