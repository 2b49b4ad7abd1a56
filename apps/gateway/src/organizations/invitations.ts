import { Inject, Injectable } from '@nestjs/common';
import { and, asc, desc, eq, gt, isNull, lte, notExists, or, sql, type SQL } from 'drizzle-orm';
import { hashToken, newToken } from '../access/tokens.js';
import type { Database, Transaction } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { users } from '../database/schema/accounts.js';
import { invitations, memberships, organizations } from '../database/schema/organizations.js';
import { Transactions, type Publish } from '../database/transactions.js';
import { notFound, ProblemException } from '../http/problem.js';
import type { InvitationAcceptor } from '../identity/sign-up.js';
import { SETTINGS, type Settings } from '../process/settings.js';
import { enforceLimit } from './enforce-limit.js';
import { Organizations, type Organization } from './organizations.js';

const DAYS = 7;

type Row = typeof invitations.$inferSelect;

/** An invitation, with the names of its organization and its inviter. */
export interface Invitation {
  readonly invitation: Row;
  readonly organizationName: string;
  readonly inviterName: string | null;
}

/**
 * Nobody becomes a member without accepting an invitation. An invitation is for the account that has its address when it
 * is made, and for whoever has its link. What members see, and how long it takes, does not depend on whether the address
 * has an account or is a member's.
 */
@Injectable()
export class Invitations implements InvitationAcceptor {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly transactions: Transactions,
    private readonly organizations: Organizations,
  ) {}

  /** Invites an address, and replaces its earlier invitation, whose link stops working. `secret` is not stored. */
  invite(organizationId: string, email: string, byId: string): Promise<Invitation & { secret: string }> {
    const secret = newToken();
    return this.transactions.run(async (transaction) => {
      const organization = await this.organizations.lock(transaction, organizationId);
      await transaction
        .delete(invitations)
        .where(
          and(
            eq(invitations.organizationId, organizationId),
            or(eq(invitations.email, email), lte(invitations.expires, sql`now()`)),
          ),
        );
      await enforceLimit(
        transaction.$count(invitations, eq(invitations.organizationId, organizationId)),
        this.settings.MAX_INVITATIONS_PER_ORGANIZATION,
        (most) => `An organization may have ${most} open invitations; withdraw one first.`,
      );
      const [invitation] = await transaction
        .insert(invitations)
        .values({
          organizationId,
          email,
          hash: hashToken(secret),
          invitedBy: byId,
          accountId: sql`(SELECT ${users.id} FROM ${users} WHERE ${users.email} = ${email})`,
          expires: new Date(Date.now() + DAYS * 86_400_000),
        })
        .returning();
      if (invitation === undefined) throw new Error('an insert returned no row');
      const [by] = await transaction.select().from(users).where(eq(users.id, byId));
      return {
        invitation,
        organizationName: organization.name,
        inviterName: by?.fullName ?? null,
        secret,
      };
    });
  }

  /** A query for the open invitations of an organization, newest first. A declined one stays open to whoever has its link. */
  ofOrganization(organizationId: string) {
    return this.#those(eq(invitations.organizationId, organizationId));
  }

  /** A query for the invitations that an account may accept in the app, newest first. */
  ofAccount(accountId: string) {
    const own = this.database
      .select({ one: sql`1` })
      .from(memberships)
      .where(
        and(eq(memberships.organizationId, invitations.organizationId), eq(memberships.userId, accountId)),
      );
    return this.#those(and(isShownTo(accountId), notExists(own)));
  }

  /** The invitation of a link. @throws ProblemException 404 */
  async ofSecret(secret: string): Promise<Invitation> {
    const [found] = await this.#those(eq(invitations.hash, hashToken(secret))).limit(1);
    if (found === undefined) throw linkEnded();
    return found;
  }

  async withdraw(organizationId: string, id: string): Promise<void> {
    const withdrawn = await this.database
      .delete(invitations)
      .where(and(eq(invitations.id, id), eq(invitations.organizationId, organizationId), isOpen))
      .returning({ id: invitations.id });
    if (withdrawn.length === 0) throw notFound('invitation');
  }

  /** Accepts as the account that had the address when the invitation was made. @throws ProblemException 404 */
  accept(accountId: string, id: string): Promise<Organization> {
    return this.transactions.run(async (transaction, publish) => {
      const which = and(eq(invitations.id, id), isShownTo(accountId));
      const accepted = await this.#accept(transaction, publish, accountId, which);
      if (accepted === undefined) throw notFound('invitation');
      return accepted;
    });
  }

  /** Accepts with the secret of the link. @throws ProblemException 404 */
  acceptBySecret(accountId: string, secret: string): Promise<Organization> {
    return this.transactions.run((transaction, publish) =>
      this.acceptWith(transaction, publish, accountId, secret),
    );
  }

  /** The same, in the caller's transaction. */
  async acceptWith(
    transaction: Transaction,
    publish: Publish,
    accountId: string,
    secret: string,
  ): Promise<Organization> {
    const which = eq(invitations.hash, hashToken(secret));
    const accepted = await this.#accept(transaction, publish, accountId, which);
    if (accepted === undefined) throw linkEnded();
    return accepted;
  }

  /**
   * Hides the invitation from the account. Members see no change, and the link stays valid: an invitation that
   * disappeared would reveal that the address has an account. @throws ProblemException 404
   */
  async decline(accountId: string, id: string): Promise<void> {
    const declined = await this.database
      .update(invitations)
      .set({ declined: new Date() })
      .where(and(eq(invitations.id, id), isShownTo(accountId), isOpen))
      .returning({ id: invitations.id });
    if (declined.length === 0) throw notFound('invitation');
  }

  async #accept(
    transaction: Transaction,
    publish: Publish,
    accountId: string,
    which: SQL | undefined,
  ): Promise<Organization | undefined> {
    const [accepted] = await transaction
      .delete(invitations)
      .where(and(which, isOpen))
      .returning({ organizationId: invitations.organizationId });
    return accepted && this.organizations.join(transaction, publish, accepted.organizationId, accountId);
  }

  #those(which: SQL | undefined) {
    return this.database
      .select({
        invitation: invitations,
        organizationName: organizations.name,
        inviterName: users.fullName,
      })
      .from(invitations)
      .innerJoin(organizations, eq(organizations.id, invitations.organizationId))
      .leftJoin(users, eq(users.id, invitations.invitedBy))
      .where(and(which, isOpen))
      .orderBy(desc(invitations.created), asc(invitations.id))
      .$dynamic();
  }
}

const isOpen = gt(invitations.expires, sql`now()`);
const isShownTo = (accountId: string) =>
  and(eq(invitations.accountId, accountId), isNull(invitations.declined));

const linkEnded = (): ProblemException =>
  new ProblemException(
    404,
    'The invitation is unknown, was accepted or withdrawn, or has expired; ask for another.',
  );
