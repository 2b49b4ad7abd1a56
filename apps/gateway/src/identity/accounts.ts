import { Inject, Injectable } from '@nestjs/common';
import { and, asc, eq, gt, isNull, or, sql } from 'drizzle-orm';
import { hashToken, newToken } from '../access/tokens.js';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { passwordResets, users } from '../database/schema/accounts.js';
import { invitations } from '../database/schema/organizations.js';
import { Transactions } from '../database/transactions.js';
import { conflict, forbidden, notFound, ProblemException } from '../http/problem.js';
import { hashPassword } from './passwords.js';
import { Sessions } from './sessions.js';

export type User = typeof users.$inferSelect;

const RESET_MS = 60 * 60_000;

/** A link with which a user sets a new password. */
export interface PasswordReset {
  readonly user: User;
  readonly secret: string;
  readonly expires: Date;
}

/** Changes accounts: their passwords, and whether they may log in. Each change ends sessions. */
@Injectable()
export class Accounts {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
    private readonly sessions: Sessions,
  ) {}

  async existing(id: string): Promise<User> {
    const [found] = await this.database.select().from(users).where(eq(users.id, id));
    if (found === undefined) throw notFound('user');
    return found;
  }

  /**
   * Replaces the password that `user` was read with, and ends all sessions but one. False if the password has changed
   * since.
   */
  async changePassword(
    { id, passwordHash: before }: User,
    password: string,
    sessionId: string,
  ): Promise<boolean> {
    const passwordHash = await hashPassword(password);
    return this.transactions.run(async (transaction, publish) => {
      const changed = await transaction
        .update(users)
        .set({ passwordHash })
        .where(and(eq(users.id, id), eq(users.passwordHash, before), isNull(users.locked)))
        .returning({ id: users.id });
      if (changed.length === 0) return false;
      await transaction.delete(passwordResets).where(eq(passwordResets.userId, id));
      await this.sessions.end(transaction, publish, id, sessionId);
      return true;
    });
  }

  /** Makes a link's secret, which replaces an earlier one of the account. */
  async offerReset(id: string, byId: string): Promise<PasswordReset> {
    const user = await this.existing(id);
    const secret = newToken();
    const expires = new Date(Date.now() + RESET_MS);
    const offer = { hash: hashToken(secret), offeredBy: byId, expires };
    await this.database
      .insert(passwordResets)
      .values({ userId: id, ...offer })
      .onConflictDoUpdate({ target: passwordResets.userId, set: offer });
    return { user, secret, expires };
  }

  /** The user whose password a link sets. @throws ProblemException 404 */
  async ofReset(secret: string): Promise<User> {
    const [found] = await this.database
      .select({ user: users })
      .from(passwordResets)
      .innerJoin(users, eq(users.id, passwordResets.userId))
      .where(isOpen(secret));
    if (found === undefined) throw noSuchReset();
    return found.user;
  }

  /** Sets a password by a link, which works once, and ends all sessions. @throws ProblemException 404 */
  async reset(secret: string, password: string): Promise<void> {
    const passwordHash = await hashPassword(password);
    await this.transactions.run(async (transaction, publish) => {
      const [used] = await transaction.delete(passwordResets).where(isOpen(secret)).returning();
      if (used === undefined) throw noSuchReset();
      await transaction.update(users).set({ passwordHash }).where(eq(users.id, used.userId));
      await this.sessions.end(transaction, publish, used.userId);
    });
  }

  /** Locks an account: it cannot log in, and its sessions and links end. `byId`: the administrator who locks it. */
  async lock(id: string, byId: string): Promise<void> {
    if (id === byId) throw conflict('You cannot lock your own account; another administrator can.');
    await this.transactions.run(async (transaction, publish) => {
      // Locks the rows of all administrators, in one order: two who lock each other at once must not both succeed.
      const rows = await transaction
        .select()
        .from(users)
        .where(or(eq(users.id, id), sql`'administrator' = ANY(${users.roles})`))
        .orderBy(asc(users.id))
        .for('no key update');
      const by = rows.find((row) => row.id === byId);
      if (by === undefined || by.locked !== null) throw forbidden('Only an administrator may do this.');
      const user = rows.find((row) => row.id === id);
      if (user === undefined) throw notFound('user');
      if (user.locked === null)
        await transaction.update(users).set({ locked: new Date() }).where(eq(users.id, id));
      // Links that the account was given or made end, too: whoever used the account may have kept them.
      await transaction
        .delete(passwordResets)
        .where(or(eq(passwordResets.userId, id), eq(passwordResets.offeredBy, id)));
      await transaction.delete(invitations).where(eq(invitations.invitedBy, id));
      await this.sessions.end(transaction, publish, id);
    });
  }

  async unlock(id: string): Promise<void> {
    const unlocked = await this.database
      .update(users)
      .set({ locked: null })
      .where(eq(users.id, id))
      .returning({ id: users.id });
    if (unlocked.length === 0) throw notFound('user');
  }
}

const isOpen = (secret: string) =>
  and(eq(passwordResets.hash, hashToken(secret)), gt(passwordResets.expires, sql`now()`));

const noSuchReset = (): ProblemException =>
  new ProblemException(
    404,
    'The link is unknown, was used, or has expired; ask an administrator for a new one.',
  );
