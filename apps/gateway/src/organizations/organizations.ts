import { Inject, Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol/catalog';
import { and, eq, ne, or } from 'drizzle-orm';
import type { UserCaller } from '../access/caller.js';
import type { Database, Transaction } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { users } from '../database/schema/accounts.js';
import { invitations, memberships, organizations, type PlanId } from '../database/schema/organizations.js';
import { Transactions, type Publish } from '../database/transactions.js';
import { conflict, notFound } from '../http/problem.js';
import { SETTINGS, type Settings } from '../process/settings.js';
import { enforceLimit } from './enforce-limit.js';
import { UsageMeter } from './usage.js';

export type Organization = typeof organizations.$inferSelect;

/** Organizations and their members. A foreign organization does not exist for the caller. */
@Injectable()
export class Organizations {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly transactions: Transactions,
    private readonly usage: UsageMeter,
  ) {}

  async existing(id: string): Promise<Organization> {
    const [found] = await this.database.select().from(organizations).where(eq(organizations.id, id));
    if (found === undefined) throw notFound('organization');
    return found;
  }

  /** @throws ProblemException 404 if the caller is not a member */
  requireMember(caller: UserCaller, id: string): void {
    if (!caller.organizationIds.includes(id)) throw notFound('organization');
  }

  /** Changes the plan, and publishes `PlanChanged` if it is another one. */
  changePlan(id: string, planId: PlanId): Promise<Organization> {
    return this.transactions.run(async (transaction, publish) => {
      const before = await this.lock(transaction, id);
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
      await lockAccount(transaction, userId);
      await this.#enforceLimitOf(transaction, userId);
      const [made] = await transaction.insert(organizations).values({ name, planId }).returning();
      if (made === undefined) throw new Error('an insert returned no row');
      await transaction.insert(memberships).values({ organizationId: made.id, userId });
      publish(membershipChanged(made.id, userId, ChangeType.Added));
      publish({
        type: 'OrganizationChanged',
        message: entity('Organization', made.id, made.id, ChangeType.Added),
      });
      return made;
    });
  }

  /** Locks the row for the transaction, so that additions to an organization happen one after another. */
  async lock(transaction: Transaction, id: string): Promise<Organization> {
    const [found] = await transaction
      .select()
      .from(organizations)
      .where(eq(organizations.id, id))
      // Not `update`, which would block incoming events: they refer to the row.
      .for('no key update');
    if (found === undefined) throw notFound('organization');
    return found;
  }

  /** Makes an account a member, unless it is one already. @throws ProblemException 409 at a limit */
  async join(
    transaction: Transaction,
    publish: Publish,
    organizationId: string,
    userId: string,
  ): Promise<Organization> {
    // The account is locked before the organization, so that no two transactions deadlock.
    await lockAccount(transaction, userId);
    const organization = await this.lock(transaction, organizationId);
    const isOne = and(eq(memberships.organizationId, organizationId), eq(memberships.userId, userId));
    if ((await transaction.$count(memberships, isOne)) > 0) return organization;
    await this.#enforceLimitOf(transaction, userId);
    await enforceLimit(
      transaction.$count(memberships, eq(memberships.organizationId, organizationId)),
      this.settings.MAX_MEMBERS_PER_ORGANIZATION,
      (most) => `An organization may have ${most} members; ask one of them to make room.`,
    );
    await transaction.insert(memberships).values({ organizationId, userId });
    publish(membershipChanged(organizationId, userId, ChangeType.Added));
    return organization;
  }

  removeMember(organizationId: string, email: string): Promise<void> {
    return this.transactions.run(async (transaction, publish) => {
      // The lock: the last two members cannot both leave at once.
      await this.lock(transaction, organizationId);
      const [member] = await transaction
        .select({ userId: users.id })
        .from(users)
        .innerJoin(memberships, eq(memberships.userId, users.id))
        .where(and(eq(users.email, email), eq(memberships.organizationId, organizationId)));
      if (member === undefined) throw notFound('member');
      const [another] = await transaction
        .select({ userId: memberships.userId })
        .from(memberships)
        .where(and(eq(memberships.organizationId, organizationId), ne(memberships.userId, member.userId)))
        .limit(1);
      if (another === undefined) throw conflict('This is the last member; invite another one first.');
      await transaction
        .delete(memberships)
        .where(and(eq(memberships.organizationId, organizationId), eq(memberships.userId, member.userId)));
      // No way back by an invitation that the member was sent, or made before the removal.
      await transaction
        .delete(invitations)
        .where(
          and(
            eq(invitations.organizationId, organizationId),
            or(eq(invitations.email, email), eq(invitations.invitedBy, member.userId)),
          ),
        );
      publish(membershipChanged(organizationId, member.userId, ChangeType.Removed));
    });
  }

  /** Refuses one organization more than an account may be in. The caller has locked the account's row. */
  async #enforceLimitOf(transaction: Transaction, userId: string): Promise<void> {
    await enforceLimit(
      transaction.$count(memberships, eq(memberships.userId, userId)),
      this.settings.MAX_ORGANIZATIONS_PER_ACCOUNT,
      (most) => `An account may be in ${most} organizations; leave one first.`,
    );
  }
}

const lockAccount = (transaction: Transaction, id: string) =>
  transaction.select({ id: users.id }).from(users).where(eq(users.id, id)).for('no key update');

/** The body of a message about an entity of an organization. */
export function entity(type: string, id: string, organizationId: string, change: ChangeType) {
  return { type, id, organization_id: organizationId, change_type: change, data: {} };
}

function membershipChanged(organizationId: string, userId: string, change: ChangeType) {
  return {
    type: 'UserMembershipChanged',
    message: { change_type: change, user_id: userId, organization_id: organizationId },
  } as const;
}
