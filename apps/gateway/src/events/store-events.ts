import { sql } from 'drizzle-orm';
import type { Transaction } from '../database/database.js';
import { events, stacks } from '../database/schema/events.js';
import { TimeSlice } from '../process/time-slice.js';
import type { IdentifiedEvent, StackGroup } from './group-events.js';

/** Where events go. */
export interface IngestTarget {
  readonly organizationId: string;
  readonly projectId: string;
}

/** A stack of the batch as the database has it, with its events of the batch. Discarded stacks are left out. */
export interface StoredStack {
  readonly stackId: string;
  readonly isNew: boolean;
  readonly events: readonly IdentifiedEvent[];
}

/** Events of one statement. Each statement is small enough to block nobody for long where the database is embedded. */
const INSERTED_ROWS = 1000;
/** Characters of one statement, not counting its last event's. */
const INSERTED_CHARACTERS = 512 * 1024;
const MAX_STACK_TAGS = 50;

/** Counts events in one upsert for many stacks: the row lock makes counts exact, the order makes deadlocks impossible. */
export async function countStacks(
  transaction: Transaction,
  { organizationId, projectId }: IngestTarget,
  groups: readonly StackGroup[],
): Promise<StoredStack[]> {
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

/** Rows are passed as one JSON text: a batch may hold tens of thousands, and building a statement of so many takes seconds. */
export async function insertEvents(
  transaction: Transaction,
  { organizationId, projectId }: IngestTarget,
  counted: readonly StoredStack[],
): Promise<void> {
  for await (const rows of statementsOf(counted)) {
    await transaction.execute(sql`
      INSERT INTO ${events} (organization_id, project_id, ${ROW_NAMES})
      SELECT ${organizationId}::uuid, ${projectId}::uuid, ${ROW_NAMES}
      FROM jsonb_to_recordset(${rows}::jsonb) AS row(${ROW_TYPES})`);
  }
}

/** The columns of an event, except those that say whose it is. */
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

/** Yields events as JSON rows, as many at once as one statement takes. */
async function* statementsOf(counted: readonly StoredStack[]): AsyncGenerator<string> {
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
