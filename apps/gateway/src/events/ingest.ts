import { Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol/catalog';
import { FOREIGN_KEY_VIOLATION, QueryError } from '../database/query-error.js';
import { Transactions, type Publish } from '../database/transactions.js';
import { ProblemException, unauthorized } from '../http/problem.js';
import type { Share } from '../organizations/plans.js';
import { ShareTaken, UsageMeter } from '../organizations/usage.js';
import { FaultLog } from '../process/fault-log.js';
import { TimeSlice } from '../process/time-slice.js';
import { isEvent } from './event-input.js';
import { groupBySignature, type StackGroup } from './group-events.js';
import { IngestQueues } from './ingest-queue.js';
import { PendingAmendments } from './pending-amendments.js';
import { countStacks, insertEvents, type IngestTarget, type StoredStack } from './store-events.js';

/** What became of a batch. */
interface Taken {
  readonly accepted: number;
  /** Events that exceeded the plan. */
  readonly dropped: number;
}

/** Stacks of one statement. It is small enough to block nobody for long where the database is embedded. */
const UPSERTED_ROWS = 250;
/**
 * How often a batch at the plan's limit is tried when other batches use up the rest meanwhile. Each failed attempt means
 * that another batch was committed, and few run at once.
 */
const ATTEMPTS = 8;
const RETRY_AFTER_SECONDS = 5;

/** Ingests events: groups them into stacks, counts and stores them, and publishes each stack's change once. */
@Injectable()
export class Ingest {
  readonly #faults = new FaultLog(Ingest.name);

  constructor(
    private readonly transactions: Transactions,
    private readonly usage: UsageMeter,
    private readonly queues: IngestQueues,
    private readonly pending: PendingAmendments,
  ) {}

  /**
   * Accepts a batch as a client sent it: its first events, up to the limit of the organization's plan. Elements that are
   * not events are left out. Resolves after the commit.
   * @throws ProblemException 402 if no event fits, 429 if too many batches wait
   */
  async accept(target: IngestTarget, batch: readonly unknown[], now: Date): Promise<Taken> {
    const events = batch.filter(isEvent);
    if (events.length === 0) return { accepted: 0, dropped: 0 };
    try {
      return await this.queues.run(target.projectId, events.length, () => this.#attempt(target, events, now));
    } catch (error) {
      if (error instanceof QueryError && error.code === FOREIGN_KEY_VIOLATION)
        throw unauthorized('The project was deleted, and its tokens with it.');
      throw error;
    }
  }

  async #attempt(target: IngestTarget, events: readonly object[], now: Date): Promise<Taken> {
    const { organizationId } = target;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const share = await this.usage.shareOf(organizationId, events.length, now);
      const dropped = events.length - share.fits;
      if (share.fits === 0) throw await this.usage.refuse(organizationId, share, dropped, now);
      try {
        const groups = await groupBySignature(events.slice(0, share.fits), now);
        await this.#store(target, groups, share, dropped, now);
        await this.#amend(target.projectId, groups);
        return { accepted: share.fits, dropped };
      } catch (error) {
        if (!(error instanceof ShareTaken)) throw error;
      }
    }
    throw new ProblemException(
      429,
      "Many batches reach the plan's limit at once; send this one again, or send fewer at once.",
      undefined,
      RETRY_AFTER_SECONDS,
    );
  }

  #store(
    target: IngestTarget,
    groups: readonly StackGroup[],
    share: Share,
    dropped: number,
    now: Date,
  ): Promise<number> {
    return this.transactions.run(
      async (transaction, publish) => {
        let kept = 0;
        const slice = new TimeSlice();
        for (let first = 0; first < groups.length; first += UPSERTED_ROWS) {
          const counted = await countStacks(transaction, target, groups.slice(first, first + UPSERTED_ROWS));
          await insertEvents(transaction, target, counted);
          if (slice.isOver) await slice.next();
          for (const stack of counted) announce(publish, target, stack);
          if (slice.isOver) await slice.next();
          kept += counted.reduce((sum, { events: own }) => sum + own.length, 0);
        }
        return kept;
      },
      (transaction, publish, kept) =>
        this.usage.count(transaction, publish, target.organizationId, { share, kept, dropped }, now),
    );
  }

  /** Never fails: the events are committed, and a client that saw a failure would send them again. */
  async #amend(projectId: string, groups: readonly StackGroup[]): Promise<void> {
    const names = new Set<string>();
    for (const { events: own } of groups)
      for (const { referenceId, userIdentity } of own)
        for (const name of [referenceId, userIdentity]) if (name !== undefined) names.add(name);
    try {
      await this.pending.applyTo(projectId, names);
    } catch (error) {
      this.#faults.failure(error, 'amending committed events');
    }
  }
}

function announce(
  publish: Publish,
  { organizationId, projectId }: IngestTarget,
  { stackId, isNew, events: own }: StoredStack,
): void {
  const of = { organization_id: organizationId, project_id: projectId, data: {} };
  const [first] = own;
  publish({
    type: 'StackChanged',
    message: {
      ...of,
      type: 'Stack',
      id: stackId,
      change_type: isNew ? ChangeType.Added : ChangeType.Saved,
    },
  });
  publish({
    type: 'PersistentEventChanged',
    message: {
      ...of,
      type: 'PersistentEvent',
      ...(first !== undefined && own.length === 1 ? { id: first.id } : {}),
      stack_id: stackId,
      change_type: ChangeType.Added,
    },
  });
}
