import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { catalog } from '@crossfade/protocol/catalog';
import { PushPublisher, type Prepared, type Publishable } from '@crossfade/push';
import { FaultLog } from '../process/fault-log.js';
import { TimeSlice } from '../process/time-slice.js';
import type { Database, Transaction } from './database.js';
import { DATABASE } from './database.token.js';
import { record } from './outbox.js';
import { QueryError } from './query-error.js';

/**
 * Publishes a message once the transaction has been committed, and never if it fails. `id`: the message's id, where a
 * client was told it.
 */
export type Publish = (message: Publishable<typeof catalog> | Prepared, id?: string) => void;

const ATTEMPTS = 5;
/**
 * Messages that one transaction publishes in a turn of the event loop. Fewer than are delivered in a turn, so that other
 * messages do not queue behind ten thousand.
 */
const BURST = 16;
/** A serialization failure, a deadlock. */
const CONFLICTS: readonly string[] = ['40001', '40P01'];

/** The one way in which domain code changes data and publishes the change: in a transaction, then after its commit. */
@Injectable()
export class Transactions {
  readonly #faults = new FaultLog(Transactions.name);

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly publisher: PushPublisher<typeof catalog>,
  ) {}

  /**
   * Runs `work` in one transaction, then publishes its messages in order. Critical messages are recorded in the outbox in
   * the same transaction: should this process end before they are delivered, the next one delivers them. Work that the
   * database aborts because of a conflict with another transaction is run again, so it must change nothing but the
   * database.
   * @throws QueryError whose outcome is `unknown` if the connection was lost while PostgreSQL committed. Then nothing is
   * published, because nobody can say whether there was a change.
   */
  async run<T>(work: (transaction: Transaction, publish: Publish) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#runOnce(work);
      } catch (error) {
        if (attempt === ATTEMPTS || !(error instanceof QueryError && CONFLICTS.includes(error.code)))
          throw error;
      }
    }
  }

  async #runOnce<T>(work: (transaction: Transaction, publish: Publish) => Promise<T>): Promise<T> {
    const { result, prepared } = await this.database.transaction(async (transaction) => {
      const prepared: { message: Prepared; recordId: string | undefined }[] = [];
      const result = await work(transaction, (told, id = randomUUID()) => {
        const message = 'stamped' in told ? told : this.publisher.prepare(told);
        const isRecorded = message.stamped?.delivery === 'critical';
        prepared.push({ message, recordId: isRecorded ? id : undefined });
      });
      await record(
        transaction,
        prepared.flatMap(({ message: { stamped }, recordId }) =>
          stamped === undefined || recordId === undefined ? [] : [{ ...stamped, recordId }],
        ),
      );
      return { result, prepared };
    });
    const slice = new TimeSlice();
    for (const [index, { message, recordId }] of prepared.entries()) {
      if (index % BURST === BURST - 1) await slice.next();
      try {
        await this.publisher.send(message, recordId);
      } catch (error) {
        // The change is committed, so the caller must not see a failure.
        this.#faults.failure(error, `publishing a committed ${message.envelope.type}`);
      }
    }
    return result;
  }
}
