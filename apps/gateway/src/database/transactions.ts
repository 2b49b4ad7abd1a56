import { Inject, Injectable, Logger } from '@nestjs/common';
import type { catalog } from '@crossfade/protocol';
import { Publisher, type Publishable } from '@crossfade/push';
import { DATABASE } from './database.token.js';
import type { Database, Transaction } from './database.js';

/** Tells of a change: published when the transaction that makes it has been committed, and not if it fails. */
export type Publish = (message: Publishable<typeof catalog>) => void;

/** The after-commit seam: the one way in which domain code changes data and tells of it. */
@Injectable()
export class Transactions {
  readonly #logger = new Logger(Transactions.name);

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly publisher: Publisher<typeof catalog>,
  ) {}

  /** Runs `work` in one transaction, then publishes what it told of, in order. */
  async run<T>(work: (transaction: Transaction, publish: Publish) => Promise<T>): Promise<T> {
    const messages: Publishable<typeof catalog>[] = [];
    const result = await this.database.transaction((transaction) =>
      work(transaction, (message) => messages.push(message)),
    );
    for (const message of messages) {
      try {
        await this.publisher.publish(message);
      } catch (error) {
        // The change is committed: the caller must not be told that it failed.
        this.#logger.error(`A ${message.type} was not published: ${String(error)}`);
      }
    }
    return result;
  }
}
