import { Inject, Injectable, Logger } from '@nestjs/common';
import type { catalog } from '@crossfade/protocol';
import { Publisher, type Publishable } from '@crossfade/push';
import { DATABASE } from './database.token.js';
import type { Database, Transaction } from './database.js';
import { record } from '../push/journal.js';
import { sqlStateOf } from './sql-state.js';

/** Tells of a change: published when the transaction that makes it has been committed, and not if it fails. */
export type Publish = (message: Publishable<typeof catalog>) => void;

const ATTEMPTS = 5;
/** A failed serialization, a deadlock. */
const IN_THE_WAY: readonly string[] = ['40001', '40P01'];

/** The after-commit seam: the one way in which domain code changes data and tells of it. */
@Injectable()
export class Transactions {
  readonly #logger = new Logger(Transactions.name);

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly publisher: Publisher<typeof catalog>,
  ) {}

  /**
   * Runs `work` in one transaction, then publishes what it told of, in order. Critical messages are recorded in the
   * same transaction: should this process end before they are delivered, the next one delivers them. Work that the database ends because it
   * stood in each other's way with another's is run again, so it must change nothing but the database.
   */
  async run<T>(work: (transaction: Transaction, publish: Publish) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#runOnce(work);
      } catch (error) {
        if (attempt === ATTEMPTS || !IN_THE_WAY.includes(sqlStateOf(error) ?? '')) throw error;
      }
    }
  }

  async #runOnce<T>(work: (transaction: Transaction, publish: Publish) => Promise<T>): Promise<T> {
    const { result, prepared } = await this.database.transaction(async (transaction) => {
      const messages: Publishable<typeof catalog>[] = [];
      const result = await work(transaction, (message) => messages.push(message));
      const prepared = messages.map((message) => this.publisher.prepare(message));
      const critical = prepared.filter(({ stamped }) => stamped?.delivery === 'critical');
      const ids = await record(
        transaction,
        critical.flatMap(({ stamped }) => stamped ?? []),
      );
      return {
        result,
        prepared: prepared.map((one) => ({ message: one, recordId: ids[critical.indexOf(one)] })),
      };
    });
    for (const { message, recordId } of prepared) {
      try {
        await this.publisher.send(message, recordId);
      } catch (error) {
        // The change is committed: the caller must not be told that it failed.
        this.#logger.error(`A ${message.envelope.type} was not published: ${String(error)}`);
      }
    }
    return result;
  }
}
