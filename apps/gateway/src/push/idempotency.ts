import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { and, eq, lt } from 'drizzle-orm';
import type { Database, Transaction } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { pushRequests } from '../database/schema/push.js';
import { conflict } from '../http/problem.js';

/** How long a request is remembered by its `Idempotency-Key`, milliseconds. */
const REMEMBERED_MS = 24 * 3_600_000;

/** A request with an `Idempotency-Key`, and the ids that it is answered with. */
interface KeyedRequest {
  readonly tokenId: string;
  readonly key: string;
  readonly body: unknown;
  readonly ids: readonly string[];
}

/** Remembers requests by token and `Idempotency-Key` for 24 hours. */
@Injectable()
export class Idempotency {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /**
   * Remembers a request in the transaction that does its work.
   * @returns the ids of the same request made earlier; undefined if this is the first
   * @throws ProblemException 409 if the key came with another body
   */
  async remember(
    transaction: Transaction,
    { tokenId, key, body, ids }: KeyedRequest,
  ): Promise<readonly string[] | undefined> {
    const bodyHash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    const row = { bodyHash, ids: [...ids], created: new Date() };
    // This waits for another request with the key that is not committed yet.
    const noted = await transaction
      .insert(pushRequests)
      .values({ tokenId, key, ...row })
      .onConflictDoUpdate({
        target: [pushRequests.tokenId, pushRequests.key],
        set: row,
        setWhere: lt(pushRequests.created, new Date(Date.now() - REMEMBERED_MS)),
      })
      .returning({ key: pushRequests.key });
    if (noted.length > 0) return undefined;
    const [earlier] = await transaction
      .select()
      .from(pushRequests)
      .where(and(eq(pushRequests.tokenId, tokenId), eq(pushRequests.key, key)));
    if (earlier?.bodyHash !== bodyHash) {
      throw conflict('The Idempotency-Key came with another body before; take a new key for a new request.');
    }
    return earlier.ids;
  }

  /** Forgets the requests that are too old to be repeated. */
  async prune(now: Date): Promise<void> {
    const oldest = new Date(now.getTime() - REMEMBERED_MS);
    await this.database.delete(pushRequests).where(lt(pushRequests.created, oldest));
  }
}
