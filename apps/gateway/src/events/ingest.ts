import { Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol';
import { sql } from 'drizzle-orm';
import type { Transaction } from '../database/database.js';
import { events, stacks } from '../database/schema.js';
import { Transactions, type Publish } from '../database/transactions.js';
import type { EventInput } from './event-input.js';
import { signatureOf } from './signature.js';

/** Where events go. */
export interface IngestTarget {
  readonly organizationId: string;
  readonly projectId: string;
}

interface Group {
  readonly title: string;
  readonly hash: string;
  readonly events: EventInput[];
}

/** What PostgreSQL takes as parameters of one statement, over the columns of an event, rounded down. */
const INSERT_ROWS = 1000;
const MAX_STACK_TAGS = 50;

/** Takes events in: groups them into stacks, counts them, and tells of each stack once. */
@Injectable()
export class Ingest {
  constructor(private readonly transactions: Transactions) {}

  /** Resolves after commit. */
  async accept(target: IngestTarget, batch: readonly EventInput[]): Promise<void> {
    if (batch.length === 0) return;
    const groups = groupBySignature(batch);
    await this.transactions.run(async (transaction, publish) => {
      const kept = await this.#count(transaction, target, groups);
      for (const { stackId, isNew, group } of kept) {
        const ids = await this.#insert(transaction, target, stackId, group.events);
        announce(publish, target, stackId, isNew, ids);
      }
    });
  }

  /** One upsert for all stacks of a batch: the row lock makes counts exact, the order makes deadlocks impossible. */
  async #count(
    transaction: Transaction,
    { organizationId, projectId }: IngestTarget,
    groups: readonly Group[],
  ) {
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
          firstOccurrence: new Date(Math.min(...own.map(({ date }) => date.getTime()))),
          lastOccurrence: new Date(Math.max(...own.map(({ date }) => date.getTime()))),
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
      return group === undefined ? [] : [{ stackId: id, isNew, group }];
    });
  }

  async #insert(
    transaction: Transaction,
    { organizationId, projectId }: IngestTarget,
    stackId: string,
    inputs: readonly EventInput[],
  ): Promise<string[]> {
    const ids: string[] = [];
    for (let from = 0; from < inputs.length; from += INSERT_ROWS) {
      const rows = await transaction
        .insert(events)
        .values(
          inputs.slice(from, from + INSERT_ROWS).map(({ type, message, date, data, tags, referenceId }) => ({
            organizationId,
            projectId,
            stackId,
            type,
            message: message ?? null,
            date,
            data,
            tags,
            referenceId: referenceId ?? null,
          })),
        )
        .returning({ id: events.id });
      ids.push(...rows.map(({ id }) => id));
    }
    return ids;
  }
}

/** In the order of their signatures, so that concurrent batches lock stacks in the same order. */
function groupBySignature(batch: readonly EventInput[]): Group[] {
  const groups = new Map<string, Group>();
  for (const event of batch) {
    const { hash, title } = signatureOf(event);
    const group = groups.get(hash) ?? { hash, title, events: [] };
    group.events.push(event);
    groups.set(hash, group);
  }
  return [...groups.values()].sort((a, b) => (a.hash < b.hash ? -1 : 1));
}

function announce(
  publish: Publish,
  { organizationId, projectId }: IngestTarget,
  stackId: string,
  isNew: boolean,
  eventIds: readonly string[],
): void {
  const place = { organization_id: organizationId, project_id: projectId, data: {} };
  const [id] = eventIds;
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
      ...(id !== undefined && eventIds.length === 1 ? { id } : {}),
      stack_id: stackId,
      change_type: ChangeType.Added,
    },
  });
}
