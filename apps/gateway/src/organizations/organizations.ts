import { Inject, Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { and, eq } from 'drizzle-orm';
import type { Database, Transaction } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { memberships, organizations, projects, users } from '../database/schema.js';
import { Transactions, type Publish } from '../database/transactions.js';
import { conflict, notFound } from '../http/problem.js';
import type { UserCaller } from '../identity/caller.js';
import type { PlanId } from './plans.js';
import { UsageMeter } from './usage.js';

export type Organization = typeof organizations.$inferSelect;
export type Project = typeof projects.$inferSelect;
export type User = typeof users.$inferSelect;

/** Organizations, their members and projects. What the caller may not see does not exist for it. */
@Injectable()
export class Organizations {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
    private readonly usage: UsageMeter,
  ) {}

  async existing(id: string): Promise<Organization> {
    const [found] = await this.database.select().from(organizations).where(eq(organizations.id, id));
    if (found === undefined) throw notFound('organization');
    return found;
  }

  /** Says that there is no such organization to whoever is no member of it. */
  requireMember(caller: UserCaller, id: string): void {
    if (!caller.organizationIds.includes(id)) throw notFound('organization');
  }

  async project(caller: UserCaller, id: string): Promise<Project> {
    const [found] = await this.database.select().from(projects).where(eq(projects.id, id));
    if (found === undefined || !caller.organizationIds.includes(found.organizationId))
      throw notFound('project');
    return found;
  }

  /** Says so if the plan is another one than before. */
  changePlan(id: string, planId: PlanId): Promise<Organization> {
    return this.transactions.run(async (transaction, publish) => {
      const [before] = await transaction
        .select()
        .from(organizations)
        .where(eq(organizations.id, id))
        .for('update');
      if (before === undefined) throw notFound('organization');
      if (before.planId === planId) return before;
      await transaction.update(organizations).set({ planId }).where(eq(organizations.id, id));
      await this.usage.forgive(transaction, id, new Date());
      publish({ type: 'PlanChanged', message: { organization_id: id } });
      return { ...before, planId };
    });
  }

  /** Makes an organization with its maker as the first member. */
  create(userId: string, name: string, planId: PlanId = 'free'): Promise<Organization> {
    return this.transactions.run(async (transaction, publish) => {
      const [made] = await transaction.insert(organizations).values({ name, planId }).returning();
      if (made === undefined) throw new Error('an insert returned no row');
      await this.#join(transaction, publish, made.id, userId);
      publish({
        type: 'OrganizationChanged',
        message: entity('Organization', made.id, made.id, ChangeType.Added),
      });
      return made;
    });
  }

  createProject(organizationId: string, name: string): Promise<Project> {
    return this.transactions.run(async (transaction, publish) => {
      const [made] = await transaction.insert(projects).values({ organizationId, name }).returning();
      if (made === undefined) throw new Error('an insert returned no row');
      publish({
        type: 'ProjectChanged',
        message: entity('Project', made.id, organizationId, ChangeType.Added),
      });
      return made;
    });
  }

  /** Adds an account by its address; nothing changes if it is a member already. */
  addMember(organizationId: string, email: string): Promise<User> {
    return this.transactions.run(async (transaction, publish) => {
      const [found] = await transaction.select().from(users).where(eq(users.email, email));
      if (found === undefined) throw notFound('account');
      await this.#join(transaction, publish, organizationId, found.id);
      return found;
    });
  }

  removeMember(organizationId: string, email: string): Promise<void> {
    return this.transactions.run(async (transaction, publish) => {
      // Locked, so that the last two members cannot both leave at once.
      await transaction
        .select()
        .from(organizations)
        .where(eq(organizations.id, organizationId))
        .for('update');
      const members = await transaction
        .select({ userId: users.id, email: users.email })
        .from(memberships)
        .innerJoin(users, eq(users.id, memberships.userId))
        .where(eq(memberships.organizationId, organizationId));
      const member = members.find((one) => one.email === email);
      if (member === undefined) throw notFound('member');
      if (members.length === 1) throw conflict('This is the last member; add another one first.');
      await transaction
        .delete(memberships)
        .where(and(eq(memberships.organizationId, organizationId), eq(memberships.userId, member.userId)));
      publish(membershipChanged(organizationId, member.userId, ChangeType.Removed));
    });
  }

  async #join(
    transaction: Transaction,
    publish: Publish,
    organizationId: string,
    userId: string,
  ): Promise<void> {
    const joined = await transaction
      .insert(memberships)
      .values({ organizationId, userId })
      .onConflictDoNothing()
      .returning();
    if (joined.length > 0) publish(membershipChanged(organizationId, userId, ChangeType.Added));
  }
}

/** The message of an entity of an organization. */
export function entity(type: string, id: string, organizationId: string, change: ChangeType) {
  return { type, id, organization_id: organizationId, change_type: change, data: {} };
}

function membershipChanged(organizationId: string, userId: string, change: ChangeType) {
  return {
    type: 'UserMembershipChanged',
    message: { change_type: change, user_id: userId, organization_id: organizationId },
  } as const;
}
