import { Inject, Injectable } from '@nestjs/common';
import { ChangeType } from '@crossfade/protocol/catalog';
import { and, eq, inArray, lte } from 'drizzle-orm';
import type { UserCaller } from '../access/caller.js';
import type { Database, Transaction } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { stacks, type StackStatus } from '../database/schema/events.js';
import { Transactions, type Publish } from '../database/transactions.js';
import { notFound } from '../http/problem.js';

export type Stack = typeof stacks.$inferSelect;
/** What users can change about a stack. */
type Change = Partial<Pick<Stack, 'status' | 'dateFixed' | 'snoozeUntil' | 'occurrencesAreCritical'>>;

/** A status with its dates. A stack may be snoozed without an end. */
export function statusChange(status: StackStatus, now: Date, snoozeUntil: Date | null = null): Change {
  return { status, dateFixed: status === 'fixed' ? now : null, snoozeUntil };
}

/** The rest waits for the next round. */
const SNOOZES_AT_ONCE = 1000;

/** Reads and changes stacks. A stack of a foreign organization does not exist for the caller. */
@Injectable()
export class Stacks {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
  ) {}

  async one(caller: UserCaller, id: string): Promise<Stack> {
    const [found] = await this.database.select().from(stacks).where(eq(stacks.id, id));
    if (found === undefined || !caller.organizationIds.includes(found.organizationId))
      throw notFound('stack');
    return found;
  }

  /** Changes stacks, all or none, and publishes those that differ from before. */
  async change(caller: UserCaller, ids: readonly string[], change: Change): Promise<void> {
    await this.transactions.run(async (transaction, publish) => {
      const rows = await lockVisible(transaction, caller, ids);
      const changing = rows.filter((row) => !isSo(row, change));
      if (changing.length === 0) return;
      await transaction
        .update(stacks)
        .set(change)
        .where(
          inArray(
            stacks.id,
            changing.map(({ id }) => id),
          ),
        );
      for (const stack of changing) tell(publish, stack, ChangeType.Saved);
    });
  }

  /** Deletes stacks with their events, all or none. */
  async remove(caller: UserCaller, ids: readonly string[]): Promise<void> {
    await this.transactions.run(async (transaction, publish) => {
      const rows = await lockVisible(transaction, caller, ids);
      await transaction.delete(stacks).where(inArray(stacks.id, [...ids]));
      for (const stack of rows) tell(publish, stack, ChangeType.Removed);
    });
  }

  /** Opens the stacks whose snooze is over. Any replica may do it; each stack is opened by one. */
  async endSnoozes(now: Date): Promise<void> {
    await this.transactions.run(async (transaction, publish) => {
      const rows = await transaction
        .select()
        .from(stacks)
        .where(and(eq(stacks.status, 'snoozed'), lte(stacks.snoozeUntil, now)))
        .orderBy(...lockOrder)
        .limit(SNOOZES_AT_ONCE)
        .for('update', { skipLocked: true });
      if (rows.length === 0) return;
      const ids = rows.map(({ id }) => id);
      await transaction.update(stacks).set(statusChange('open', now)).where(inArray(stacks.id, ids));
      for (const stack of rows) tell(publish, stack, ChangeType.Saved);
    });
  }
}

const lockOrder = [stacks.projectId, stacks.signature] as const;

async function lockVisible(
  transaction: Transaction,
  caller: UserCaller,
  ids: readonly string[],
): Promise<Stack[]> {
  // Locks rows in the order in which events are counted, so that two requests cannot deadlock.
  const rows = await transaction
    .select()
    .from(stacks)
    .where(inArray(stacks.id, [...ids]))
    .orderBy(...lockOrder)
    .for('update');
  const visible = rows.every(({ organizationId }) => caller.organizationIds.includes(organizationId));
  if (rows.length < ids.length || !visible) throw notFound('stack');
  return rows;
}

/** Whether the change changes nothing. The date of a fix does not count: a fixed stack keeps its date. */
function isSo(row: Stack, change: Change): boolean {
  return (Object.keys(change) as (keyof Change)[])
    .filter((name) => name !== 'dateFixed')
    .every((name) => {
      const [is, becomes] = [row[name], change[name]];
      return is instanceof Date && becomes instanceof Date
        ? is.getTime() === becomes.getTime()
        : is === becomes;
    });
}

function tell(publish: Publish, { id, organizationId, projectId }: Stack, change: ChangeType): void {
  publish({
    type: 'StackChanged',
    message: {
      type: 'Stack',
      id,
      organization_id: organizationId,
      project_id: projectId,
      change_type: change,
      data: {},
    },
  });
}
