import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { catalog } from '@crossfade/protocol/catalog';
import { PushPublisher, type Prepared, type Publishable } from '@crossfade/push';
import { FaultLog } from '../process/fault-log.js';
import { TimeSlice } from '../process/time-slice.js';
import type { Database, Transaction } from './database.js';
import { DATABASE } from './database.token.js';
import { Outbox } from './outbox.js';
import type { OutboxScope } from './outbox-rows.js';
import { publishingRequest } from './publishing-request.js';
import { QueryError } from './query-error.js';

/**
 * Publishes a message once the transaction has been committed, and never if it fails. `id`: the message's id, where a
 * client was told it.
 */
export type Publish = (message: Publishable<typeof catalog> | Prepared, id?: string) => void;

type Work<T> = (transaction: Transaction, publish: Publish) => Promise<T>;

export interface TransactionOptions<T> {
  /** Work that locks what many transactions wait for: it is done once the messages of the other work are recorded. */
  readonly last?: (transaction: Transaction, publish: Publish, result: T) => Promise<void>;
  /** Called after the commit, before anything is published. */
  readonly onCommit?: (() => void) | undefined;
}

/** A message of a committed change. */
interface Committed {
  readonly message: Prepared;
  /** Undefined: it was not recorded. */
  readonly recordId: string | undefined;
}

const ATTEMPTS = 5;
/**
 * Messages that one transaction publishes in a turn of the event loop, so that others do not queue behind ten thousand. Where the
 * log is this process' own, fewer than are delivered in a turn; where replicas share it, as many as it takes at once.
 */
const BURST: Readonly<Record<OutboxScope, number>> = { criticals: 16, everything: 128 };
/** A serialization failure, a deadlock. */
const CONFLICTS: readonly string[] = ['40001', '40P01'];

/** The one way in which domain code changes data and publishes the change: in a transaction, then after its commit. */
@Injectable()
export class Transactions {
  readonly #faults = new FaultLog(Transactions.name);

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly publisher: PushPublisher<typeof catalog>,
    private readonly outbox: Outbox,
  ) {}

  /**
   * Runs `work` in one transaction, then publishes its messages in order. Messages that must survive this process are
   * recorded in the outbox in the same transaction: critical ones, which the next process delivers should this one end
   * before; where replicas share a log, all, which another replica delivers. Work that the database aborts because of a
   * conflict with another transaction is run again, so it must change nothing but the database.
   * @throws QueryError whose outcome is `unknown` if the connection was lost while PostgreSQL committed. Then nothing is
   * published, because nobody can say whether there was a change; what is recorded is delivered if there was.
   */
  async run<T>(work: Work<T>, options: TransactionOptions<T> = {}): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#runOnce(work, options);
      } catch (error) {
        if (attempt === ATTEMPTS || !(error instanceof QueryError && CONFLICTS.includes(error.code)))
          throw error;
      }
    }
  }

  async #runOnce<T>(work: Work<T>, { last, onCommit }: TransactionOptions<T>): Promise<T> {
    // Whoever runs `work` may do so on behalf of several requests.
    const request = publishingRequest.getStore();
    const { result, prepared, recordIds } = await this.database.transaction(async (transaction) => {
      const prepared: { readonly message: Prepared; readonly id: string }[] = [];
      let recordIds: readonly (string | undefined)[] = [];
      const publish: Publish = (told, id = randomUUID()) => {
        const message = 'stamped' in told ? told : this.publisher.prepare(told, request);
        prepared.push({ message, id });
      };
      const record = async (): Promise<void> => {
        const told = prepared
          .slice(recordIds.length)
          .map(({ message: { stamped }, id }) => ({ id, stamped }));
        recordIds = [...recordIds, ...(await this.outbox.record(transaction, told))];
      };
      const result = await work(transaction, publish);
      await record();
      if (last !== undefined) {
        await last(transaction, publish, result);
        await record();
      }
      return { result, prepared, recordIds };
    });
    onCommit?.();
    await this.#publish(prepared.map(({ message }, index) => ({ message, recordId: recordIds[index] })));
    return result;
  }

  /** Never rejects: the change is committed, so its caller must not see a failure. */
  async #publish(messages: readonly Committed[]): Promise<void> {
    const slice = new TimeSlice();
    const size = BURST[this.outbox.scope];
    for (let first = 0; first < messages.length; first += size) {
      if (first > 0) await slice.next();
      const burst = messages.slice(first, first + size);
      // Begun in one turn, so that a shared log appends them together, or none behind one that it did not take.
      const sent = await Promise.allSettled(
        burst.map(({ message, recordId }) => this.publisher.send(message, recordId)),
      );
      for (const [index, outcome] of sent.entries()) {
        if (outcome.status === 'fulfilled') continue;
        if (this.outbox.scope === 'everything' && burst[index]?.recordId !== undefined) {
          this.outbox.logOutage(outcome.reason);
          // The relay appends this one, and those behind it after it.
          return;
        }
        const type = burst[index]?.message.envelope.type;
        this.#faults.failure(outcome.reason, `publishing a committed ${type}`);
      }
    }
  }
}
