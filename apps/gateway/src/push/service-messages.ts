import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Envelope } from '@crossfade/protocol';
import type { catalog } from '@crossfade/protocol/catalog';
import { PushError, PushPublisher, type Prepared, type Publishable } from '@crossfade/push';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { publishingRequest } from '../database/publishing-request.js';
import { FOREIGN_KEY_VIOLATION, QueryError } from '../database/query-error.js';
import { Transactions } from '../database/transactions.js';
import { invalid, unauthorized, type Fault } from '../http/problem.js';
import type { ServiceCaller } from '../access/caller.js';
import { Idempotency } from './idempotency.js';
import { refuseUnpublishable } from './publish-policy.js';
import { faultsOfRecipients } from './recipients.js';

/** One message of a request, and its path in the request's faults. */
export interface ServiceMessage {
  readonly path: string;
  readonly envelope: Envelope;
}

/** Publishes the messages of services. */
@Injectable()
export class ServiceMessages {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
    private readonly publisher: PushPublisher<typeof catalog>,
    private readonly idempotency: Idempotency,
  ) {}

  /**
   * Publishes all messages or none: none if one of them would reach nobody. A repeated request with the same key publishes
   * nothing, and gets the same ids.
   * @throws ProblemException 400, 403, or 409 for a key that came with another request
   */
  async publish(
    caller: ServiceCaller,
    messages: readonly ServiceMessage[],
    key: string | undefined,
  ): Promise<readonly string[]> {
    const prepared = await this.#prepare(caller, messages);
    const ids = prepared.map(() => randomUUID());
    const published = this.transactions.run(async (transaction, publish) => {
      const body = messages.map(({ envelope }) => envelope);
      const earlier =
        key === undefined
          ? undefined
          : await this.idempotency.remember(transaction, { tokenId: caller.tokenId, key, body, ids });
      if (earlier !== undefined) return earlier;
      prepared.forEach((one, index) => publish(one, ids[index]));
      return ids;
    });
    return published.catch((error: unknown) => {
      // The request is remembered with its token, which was revoked meanwhile.
      if (error instanceof QueryError && error.code === FOREIGN_KEY_VIOLATION)
        throw unauthorized('The token was revoked.');
      throw error;
    });
  }

  async #prepare(caller: ServiceCaller, messages: readonly ServiceMessage[]): Promise<readonly Prepared[]> {
    const faults: Fault[] = [];
    const prepared: { readonly path: string; readonly prepared: Prepared }[] = [];
    for (const { path, envelope } of messages) {
      try {
        // The publisher validates it with the schema of its type, whatever its type is.
        const one = this.publisher.prepare(
          envelope as Publishable<typeof catalog>,
          publishingRequest.getStore(),
        );
        prepared.push({ path: at(path, 'message'), prepared: one });
      } catch (error) {
        if (!(error instanceof PushError)) throw error;
        faults.push(...faultsOf(error, path));
      }
    }
    if (faults.length > 0) throw invalid(faults);
    for (const one of prepared) refuseUnpublishable(caller, one.prepared);
    // Last, so that a token does not learn whether an audience exists that it may not publish to.
    const unheard = await faultsOfRecipients(this.database, prepared);
    if (unheard.length > 0) throw invalid(unheard);
    return prepared.map((one) => one.prepared);
  }
}

const at = (...parts: string[]): string => parts.filter((part) => part !== '').join('.');

function faultsOf({ code, message, issues }: PushError, path: string): readonly Fault[] {
  return code === 'unknown_type' || issues.length === 0
    ? [{ path: at(path, code === 'unknown_type' ? 'type' : 'message'), message }]
    : issues.map((issue) => ({ path: at(path, 'message', issue.path), message: issue.message }));
}
