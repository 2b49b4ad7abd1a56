import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { and, eq, gt, isNull, or, sql, type SQL } from 'drizzle-orm';
import type { Database } from '../database/database.js';
import { AUTHENTICATION_DATABASE } from '../database/database.token.js';
import { DiskFull } from '../database/disk-space.js';
import { isUnavailable } from '../database/query-error.js';
import { users } from '../database/schema/accounts.js';
import { memberships } from '../database/schema/organizations.js';
import { tokens } from '../database/schema/tokens.js';
import type { Caller } from './caller.js';

/** The precision of `last_used_utc`: a write for each request would cost more than it is worth. */
const LAST_USED_MS = 60_000;

export const hashToken = (token: string): string => createHash('sha256').update(token).digest('hex');
/** 256 random bits. */
export const newToken = (): string => randomBytes(32).toString('base64url');

type TokenRow = typeof tokens.$inferSelect;

/** A token, with the current rights of its user if it has one. */
interface ReadToken {
  readonly token: TokenRow;
  readonly roles: readonly string[] | null;
  readonly organizationIds: readonly string[];
}

/** Looks up tokens of all kinds. They are stored as hashes, so a leaked database opens nothing. */
@Injectable()
export class Tokens {
  constructor(@Inject(AUTHENTICATION_DATABASE) private readonly database: Database) {}

  /** The caller that a token stands for; undefined if it is unknown, expired or revoked. */
  async callerOf(token: string): Promise<Caller | undefined> {
    const [row] = await this.#read(eq(tokens.hash, hashToken(token)));
    if (row === undefined) return undefined;
    await this.#noteUse(row.token);
    return toCaller(row);
  }

  /** The callers of tokens by id, in one query. Tokens that are no longer valid are missing. */
  async callersById(ids: readonly string[]): Promise<ReadonlyMap<string, Caller>> {
    // One parameter, however many connections there are.
    const rows = await this.#read(sql`${tokens.id} = ANY(${sql.param([...ids])}::uuid[])`);
    return new Map(
      rows.flatMap((row) => {
        const caller = toCaller(row);
        return caller === undefined ? [] : [[row.token.id, caller] as const];
      }),
    );
  }

  #read(which: SQL): Promise<ReadToken[]> {
    return (
      this.database
        .select({ token: tokens, roles: users.roles, organizationIds: organizationIdsOf(tokens.userId) })
        .from(tokens)
        .leftJoin(users, eq(users.id, tokens.userId))
        // Locking an account ends its sessions. One that slipped through opens nothing either.
        .where(and(which, notExpired, isNull(users.locked)))
    );
  }

  async #noteUse({ id, lastUsed }: TokenRow): Promise<void> {
    if (lastUsed !== null && Date.now() - lastUsed.getTime() < LAST_USED_MS) return;
    try {
      await this.database.update(tokens).set({ lastUsed: new Date() }).where(eq(tokens.id, id));
    } catch (error) {
      // Nobody is refused because a date cannot be stored.
      if (!(error instanceof DiskFull) && !isUnavailable(error)) throw error;
    }
  }
}

export const notExpired = or(isNull(tokens.expires), gt(tokens.expires, sql`now()`));

function organizationIdsOf(userId: typeof tokens.userId) {
  return sql<
    string[]
  >`ARRAY(SELECT ${memberships.organizationId}::text FROM ${memberships} WHERE ${memberships.userId} = ${userId})`;
}

function toCaller({ token: row, roles, organizationIds }: ReadToken): Caller | undefined {
  const { id: tokenId, userId, organizationId, projectId, scopes } = row;
  switch (row.kind) {
    case 'login':
      if (userId === null) return undefined;
      return {
        kind: 'user',
        tokenId,
        userId,
        isAdministrator: roles?.includes('administrator') ?? false,
        organizationIds,
      };
    case 'project':
      if (organizationId === null || projectId === null) return undefined;
      return { kind: 'project', tokenId, organizationId, projectId, scopes };
    case 'service':
      return { kind: 'service', tokenId, organizationId: organizationId ?? undefined, scopes };
  }
}
