import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { sql } from 'drizzle-orm';
import type { Transaction } from '../database/database.js';
import { events, stacks } from '../database/schema/events.js';
import { FOREIGN_KEY_VIOLATION, QueryError } from '../database/query-error.js';
import { Transactions, type Publish } from '../database/transactions.js';
import { FaultLog } from '../process/fault-log.js';
import { ProblemException, unauthorized } from '../http/problem.js';
import { TimeSlice } from '../process/time-slice.js';
import type { Share } from '../organizations/plans.js';
import { ShareTaken, UsageMeter } from '../organizations/usage.js';
import { PendingAmendments } from './pending-amendments.js';
import { isEvent, readEvent, type EventInput } from './event-input.js';
import { IngestQueues } from './ingest-queue.js';
import { signatureOf } from './signature.js';

/** Where events go. */
export interface IngestTarget {
  readonly organizationId: string;
  readonly projectId: string;
}

/** What became of a batch. */
interface Taken {
  readonly accepted: number;
  /** The plan had no room for them. */
  readonly dropped: number;
}

/** An event with the id that it will have, so that it can be told of. */
type IdentifiedEvent = EventInput & { readonly id: string };

interface Group {
  readonly title: string;
  readonly hash: string;
  readonly events: IdentifiedEvent[];
}

/** A stack of the batch, as it stands in the database. Those that are discarded are not among them. */
interface Counted {
  readonly stackId: string;
  readonly isNew: boolean;
  readonly events: readonly IdentifiedEvent[];
}

/**
 * Stacks and events of one statement: few enough that building it, and running it where the database is embedded, keeps
 * nobody waiting for long.
 */
const UPSERTED_ROWS = 250;
const INSERTED_ROWS = 1000;
/** Characters of one statement, beside its last event's. */
const INSERTED_CHARACTERS = 512 * 1024;
const MAX_STACK_TAGS = 50;
/**
 * How often a batch that reaches the plan's limit is stored anew because others took the room meanwhile. Each time, one of
 * them was committed, and few are in work at once.
 */
const ATTEMPTS = 8;
const RETRY_AFTER_SECONDS = 5;

/** Takes events in: groups them into stacks, counts them, and tells of each stack once. */
@Injectable()
export class Ingest {
  readonly #faults = new FaultLog(Ingest.name);

  constructor(
    private readonly transactions: Transactions,
    private readonly usage: UsageMeter,
    private readonly queues: IngestQueues,
    private readonly early: PendingAmendments,
  ) {}

  /**
   * Takes a batch as a client sent it, up to the limit of the organization's plan, in the order sent; what is no event is
   * left out. Resolves after commit. @throws ProblemException 402 if nothing fits, 429 if too many wait
   */
  async accept(target: IngestTarget, batch: readonly unknown[], now: Date): Promise<Taken> {
    const events = batch.filter(isEvent);
    if (events.length === 0) return { accepted: 0, dropped: 0 };
    try {
      return await this.queues.run(target.projectId, events.length, () => this.#take(target, events, now));
    } catch (error) {
      if (error instanceof QueryError && error.code === FOREIGN_KEY_VIOLATION)
        throw unauthorized('The project was deleted, and its tokens with it.');
      throw error;
    }
  }

  async #take(target: IngestTarget, events: readonly object[], now: Date): Promise<Taken> {
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
      "Many batches reach the plan's limit at once; send this one again, or fewer at once.",
      undefined,
      RETRY_AFTER_SECONDS,
    );
  }

  #store(
    target: IngestTarget,
    groups: readonly Group[],
    share: Share,
    dropped: number,
    now: Date,
  ): Promise<void> {
    return this.transactions.run(async (transaction, publish) => {
      let kept = 0;
      const slice = new TimeSlice();
      for (let first = 0; first < groups.length; first += UPSERTED_ROWS) {
        const counted = await this.#count(transaction, target, groups.slice(first, first + UPSERTED_ROWS));
        await this.#insert(transaction, target, counted);
        if (slice.isOver) await slice.next();
        for (const stack of counted) announce(publish, target, stack);
        if (slice.isOver) await slice.next();
        kept += counted.reduce((sum, { events: own }) => sum + own.length, 0);
      }
      await this.usage.count(transaction, publish, target.organizationId, { share, kept, dropped }, now);
    });
  }

  /** The events are committed: nobody must be told that they failed, since a client would send them again. */
  async #amend(projectId: string, groups: readonly Group[]): Promise<void> {
    const names = new Set<string>();
    for (const { events: own } of groups)
      for (const { referenceId, userIdentity } of own)
        for (const name of [referenceId, userIdentity]) if (name !== undefined) names.add(name);
    try {
      await this.early.giveTo(projectId, names);
    } catch (error) {
      this.#faults.failure(error, 'amending committed events');
    }
  }

  /** One upsert for many stacks: the row lock makes counts exact, the order makes deadlocks impossible. */
  async #count(
    transaction: Transaction,
    { organizationId, projectId }: IngestTarget,
    groups: readonly Group[],
  ): Promise<Counted[]> {
    const rows = await transaction
      .insert(stacks)
      .values(
        groups.map(({ hash, title, events: own }) => ({
          organizationId,
          projectId,
          signature: hash,
          title,
          type: own[0]?.type ?? 'error',
          totalOccurrences: own.reduce((sum, { count }) => sum + count, 0),
          firstOccurrence: own.reduce(
            (first, { date }) => (date < first ? date : first),
            own[0]?.date ?? new Date(),
          ),
          lastOccurrence: own.reduce(
            (last, { date }) => (date > last ? date : last),
            own[0]?.date ?? new Date(),
          ),
          tags: [...new Set(own.flatMap(({ tags }) => tags))].slice(0, MAX_STACK_TAGS),
        })),
      )
      .onConflictDoUpdate({
        target: [stacks.projectId, stacks.signature],
        set: {
          totalOccurrences: sql`${stacks.totalOccurrences} + excluded.total_occurrences`,
          firstOccurrence: sql`LEAST(${stacks.firstOccurrence}, excluded.first_occurrence)`,
          lastOccurrence: sql`GREATEST(${stacks.lastOccurrence}, excluded.last_occurrence)`,
          status: sql`CASE WHEN ${stacks.status} = 'fixed' AND excluded.last_occurrence > ${stacks.dateFixed}
            THEN 'regressed' ELSE ${stacks.status} END`,
          tags: sql`(SELECT COALESCE(array_agg(tag), '{}') FROM (
            SELECT DISTINCT tag FROM unnest(${stacks.tags} || excluded.tags) AS tag LIMIT ${sql.raw(String(MAX_STACK_TAGS))}
          ) AS merged)`,
        },
        setWhere: sql`${stacks.status} <> 'discarded'`,
      })
      .returning({ id: stacks.id, signature: stacks.signature, isNew: sql<boolean>`(xmax = 0)` });
    const byHash = new Map(groups.map((group) => [group.hash, group]));
    return rows.flatMap(({ id, signature, isNew }) => {
      const group = byHash.get(signature);
      return group === undefined ? [] : [{ stackId: id, isNew, events: group.events }];
    });
  }

  /** Rows go as one JSON text: a batch may hold tens of thousands, and building a statement of so many takes seconds. */
  async #insert(
    transaction: Transaction,
    { organizationId, projectId }: IngestTarget,
    counted: readonly Counted[],
  ): Promise<void> {
    for await (const rows of statementsOf(counted)) {
      await transaction.execute(sql`
        INSERT INTO ${events} (organization_id, project_id, ${ROW_NAMES})
        SELECT ${organizationId}::uuid, ${projectId}::uuid, ${ROW_NAMES}
        FROM jsonb_to_recordset(${rows}::jsonb) AS row(${ROW_TYPES})`);
    }
  }
}

/** What of an event has a column, beside whose it is. */
const columns = {
  id: 'uuid',
  stack_id: 'uuid',
  type: 'text',
  message: 'text',
  value: 'double precision',
  geo: 'text',
  date: 'timestamptz',
  data: 'jsonb',
  tags: 'text[]',
  reference_id: 'text',
  user_identity: 'text',
} as const;
const ROW_NAMES = sql.raw(Object.keys(columns).join(', '));
const ROW_TYPES = sql.raw(
  Object.entries(columns)
    .map(([name, type]) => `${name} ${type}`)
    .join(', '),
);

function rowOf(stackId: string, event: IdentifiedEvent): Record<keyof typeof columns, unknown> {
  const { id, type, message, value, geo, date, data, tags, referenceId, userIdentity } = event;
  return {
    id,
    stack_id: stackId,
    type,
    message,
    value,
    geo,
    date,
    data,
    tags,
    reference_id: referenceId,
    user_identity: userIdentity,
  };
}

/** Events as rows in JSON, so many at once as one statement takes. */
async function* statementsOf(counted: readonly Counted[]): AsyncGenerator<string> {
  const slice = new TimeSlice();
  let rows: string[] = [];
  let characters = 0;
  for (const { stackId, events: own } of counted) {
    for (const event of own) {
      const row = JSON.stringify(rowOf(stackId, event));
      characters += row.length;
      rows.push(row);
      if (slice.isOver) await slice.next();
      if (rows.length < INSERTED_ROWS && characters < INSERTED_CHARACTERS) continue;
      yield `[${rows.join(',')}]`;
      [rows, characters] = [[], 0];
    }
  }
  if (rows.length > 0) yield `[${rows.join(',')}]`;
}

/** In the order of their signatures, so that concurrent batches lock stacks in the same order. */
async function groupBySignature(batch: readonly object[], now: Date): Promise<Group[]> {
  const groups = new Map<string, Group>();
  // By how the signature begins: fifty thousand are not sorted in one go.
  const drawers = new Map<string, Group[]>();
  const slice = new TimeSlice();
  for (const raw of batch) {
    const event = readEvent(raw, now);
    if (event === undefined) continue;
    const { hash, title } = signatureOf(event);
    let group = groups.get(hash);
    if (group === undefined) {
      group = { hash, title, events: [] };
      groups.set(hash, group);
      const beginning = hash.slice(0, 2);
      const drawer = drawers.get(beginning);
      if (drawer === undefined) drawers.set(beginning, [group]);
      else drawer.push(group);
    }
    group.events.push({ ...event, id: randomUUID() });
    if (slice.isOver) await slice.next();
  }
  return [...drawers.keys()]
    .sort()
    .flatMap((beginning) => drawers.get(beginning)?.sort((a, b) => (a.hash < b.hash ? -1 : 1)) ?? []);
}

function announce(
  publish: Publish,
  { organizationId, projectId }: IngestTarget,
  { stackId, isNew, events: own }: Counted,
): void {
  const place = { organization_id: organizationId, project_id: projectId, data: {} };
  const [first] = own;
  publish({
    type: 'StackChanged',
    message: {
      ...place,
      type: 'Stack',
      id: stackId,
      change_type: isNew ? ChangeType.Added : ChangeType.Saved,
    },
  });
  publish({
    type: 'PersistentEventChanged',
    message: {
      ...place,
      type: 'PersistentEvent',
      ...(first !== undefined && own.length === 1 ? { id: first.id } : {}),
      stack_id: stackId,
      change_type: ChangeType.Added,
    },
  });
}
