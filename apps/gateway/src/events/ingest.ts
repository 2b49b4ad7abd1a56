import { Inject, Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol/catalog';
import { publishingRequest } from '../database/publishing-request.js';
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

/** Gives the number of connections to the database. */
export const CONNECTIONS = Symbol('CONNECTIONS');

/** Events that a client sent in one request. */
interface Batch extends IngestTarget {
  readonly events: readonly object[];
  readonly now: Date;
}

type Batches = readonly [Batch, ...Batch[]];

/** What is counted of a transaction: against which share, and what exceeded it. */
interface Counted {
  readonly share: Share;
  readonly dropped: number;
  readonly now: Date;
}

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
/** SQLSTATE of values that the database does not take: data exceptions, constraints, program limits. */
const REFUSED_VALUE = /^(22|23|54)/;

/** Ingests events: groups them into stacks, counts and stores them, and publishes each stack's change once. */
@Injectable()
export class Ingest {
  readonly #faults = new FaultLog(Ingest.name);
  readonly #queues: IngestQueues<Batch, Taken>;

  constructor(
    private readonly transactions: Transactions,
    private readonly usage: UsageMeter,
    private readonly pending: PendingAmendments,
    @Inject(CONNECTIONS) connections: number,
  ) {
    this.#queues = new IngestQueues(connections, (batches, leave) => this.#process(batches, leave));
  }

  /**
   * Accepts a batch as a client sent it: its first events, up to the limit of the organization's plan. Elements that are
   * not events are left out. Resolves after the commit.
   * @throws ProblemException 402 if no event fits, 429 if too many batches wait
   */
  async accept(target: IngestTarget, batch: readonly unknown[], now: Date): Promise<Taken> {
    const events = batch.filter(isEvent);
    if (events.length === 0) return { accepted: 0, dropped: 0 };
    try {
      return await this.#queues.run({ ...target, events, now });
    } catch (error) {
      if (error instanceof QueryError && error.code === FOREIGN_KEY_VIOLATION)
        throw unauthorized('The project was deleted, and its tokens with it.');
      throw error;
    }
  }

  #process(batches: Batches, leave: () => void): Promise<readonly PromiseSettledResult<Taken>[]> {
    if (batches.length === 1) return Promise.allSettled([this.#acceptOne(batches[0], leave)]);
    // The messages tell of what several requests changed, so the stream of one of them must hear them.
    const { traceparent } = publishingRequest.getStore() ?? {};
    return publishingRequest.run(traceparent === undefined ? {} : { traceparent }, () =>
      this.#acceptSeveral(batches, leave),
    );
  }

  async #acceptSeveral(batches: Batches, leave: () => void): Promise<readonly PromiseSettledResult<Taken>[]> {
    if (await this.#haveBeenStored(batches, leave))
      return batches.map(({ events }) => ({
        status: 'fulfilled',
        value: { accepted: events.length, dropped: 0 },
      }));
    const outcomes: PromiseSettledResult<Taken>[] = [];
    for (const batch of batches) {
      const accepting = this.#acceptOne(batch, batch === batches.at(-1) ? leave : undefined);
      outcomes.push(...(await Promise.allSettled([accepting])));
    }
    return outcomes;
  }

  /**
   * Stores several batches in one transaction. False: each must be accepted by itself, because the plan has no room for all,
   * or the database refuses the events of one.
   */
  async #haveBeenStored(batches: Batches, leave: () => void): Promise<boolean> {
    const [{ organizationId, now: first }] = batches;
    const now = batches.at(-1)?.now ?? first;
    const events = batches.reduce((sum, batch) => sum + batch.events.length, 0);
    const share = await this.usage.shareOf(organizationId, events, now);
    if (share.fits < events) return false;
    try {
      await this.#store(batches, { share, dropped: 0, now }, leave);
      return true;
    } catch (error) {
      if (error instanceof ShareTaken || (error instanceof QueryError && REFUSED_VALUE.test(error.code)))
        return false;
      throw error;
    }
  }

  async #acceptOne(batch: Batch, leave?: () => void): Promise<Taken> {
    const { organizationId, events, now } = batch;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const share = await this.usage.shareOf(organizationId, events.length, now);
      const dropped = events.length - share.fits;
      if (share.fits === 0) throw await this.usage.refuse(organizationId, share, dropped, now);
      try {
        const kept = { ...batch, events: events.slice(0, share.fits) };
        await this.#store([kept], { share, dropped, now }, leave);
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

  async #store(batches: Batches, { share, dropped, now }: Counted, leave?: () => void): Promise<void> {
    const [target] = batches;
    const groups = await groupBySignature(batches);
    await this.transactions.run(
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
      {
        last: (transaction, publish, kept) =>
          this.usage.count(transaction, publish, target.organizationId, { share, kept, dropped }, now),
        onCommit: leave,
      },
    );
    await this.#amend(target.projectId, groups);
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
