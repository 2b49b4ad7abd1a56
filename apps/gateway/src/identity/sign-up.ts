import { Injectable } from '@nestjs/common';
import type { Transaction } from '../database/database.js';
import { users } from '../database/schema/accounts.js';
import { Transactions, type Publish } from '../database/transactions.js';
import { conflict } from '../http/problem.js';
import { hashPassword } from './passwords.js';
import { Sessions } from './sessions.js';

export interface NewAccount {
  /** In lower case. */
  readonly email: string;
  readonly fullName: string;
  readonly password: string;
  /** The secret of an invitation's link. */
  readonly invitation: string | undefined;
}

/** The port for the invitation that a new account may accept. Organizations implement it, since they depend on accounts. */
export abstract class InvitationAcceptor {
  /** Makes the account a member. @throws ProblemException 404, or 409 at a limit */
  abstract acceptWith(
    transaction: Transaction,
    publish: Publish,
    accountId: string,
    secret: string,
  ): Promise<unknown>;
}

@Injectable()
export class SignUp {
  constructor(
    private readonly transactions: Transactions,
    private readonly sessions: Sessions,
    private readonly invitations: InvitationAcceptor,
  ) {}

  /**
   * Makes an account, accepts its invitation if there is one, and begins its first session: all or nothing.
   * @returns the session's token
   * @throws ProblemException 409 if the address has an account, or what accepting throws
   */
  async create(
    { email, fullName, password, invitation }: NewAccount,
    userAgent: string | undefined,
  ): Promise<string> {
    const passwordHash = await hashPassword(password);
    return this.transactions.run(async (transaction, publish) => {
      const [made] = await transaction
        .insert(users)
        .values({ email, fullName, passwordHash })
        .onConflictDoNothing()
        .returning();
      if (made === undefined) throw conflict('This address has an account; log in.');
      if (invitation !== undefined)
        await this.invitations.acceptWith(transaction, publish, made.id, invitation);
      return this.sessions.beginFor(transaction, publish, made.id, userAgent);
    });
  }
}
