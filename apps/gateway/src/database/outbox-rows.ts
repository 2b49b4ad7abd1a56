import { encodeSseData } from '@crossfade/protocol';
import type { StampedMessage } from '@crossfade/push';
import { z } from 'zod';

/**
 * What the outbox records: `criticals` where the log is this process' own, since its clients refetch everything else after
 * its end; `everything` where replicas share a log, since another replica's clients go on.
 */
export type OutboxScope = 'criticals' | 'everything';

/** A message that a transaction publishes. */
export interface Told {
  /** Names it, and the row that begins with it. */
  readonly id: string;
  /** Undefined: it is for nobody. */
  readonly stamped: StampedMessage | undefined;
}

/** A row of the outbox: one critical message, or a run of others. */
export interface OutboxRow {
  readonly rowId: string;
  readonly messages: readonly StampedMessage[];
}

/** The most messages, and about the most characters, in one row: the relay reads several rows at once. */
const ROW_MESSAGES = 500;
const ROW_CHARACTERS = 1024 * 1024;

/**
 * Puts the messages of a transaction into as few rows as possible, in order: a critical one has a row of its own, because
 * it has its own cursor and is retained; others next to each other share one.
 * @returns also the record id of each message; undefined: it is not recorded
 */
export function planRows(
  told: readonly Told[],
  scope: OutboxScope,
): { readonly rows: readonly OutboxRow[]; readonly recordIds: readonly (string | undefined)[] } {
  const runs: { readonly indexes: number[]; readonly messages: StampedMessage[] }[] = [];
  let open: { readonly run: (typeof runs)[number]; characters: number } | undefined;
  for (const [index, { stamped }] of told.entries()) {
    if (stamped === undefined) continue;
    const isCritical = stamped.delivery === 'critical';
    if (!isCritical && scope === 'criticals') continue;
    if (isCritical || open === undefined || !hasRoom(open.run.indexes.length, open.characters)) {
      open = { run: { indexes: [], messages: [] }, characters: 0 };
      runs.push(open.run);
    }
    open.run.indexes.push(index);
    open.run.messages.push(stamped);
    open.characters += stamped.data.length;
    if (isCritical) open = undefined;
  }
  const recordIds = told.map((): string | undefined => undefined);
  const rows = runs.map(({ indexes, messages }) => {
    const rowId = told[indexes[0] ?? 0]?.id ?? '';
    for (const [at, index] of indexes.entries()) recordIds[index] = recordIdOf(rowId, at, messages.length);
    return { rowId, messages };
  });
  return { rows, recordIds };
}

const hasRoom = (messages: number, characters: number): boolean =>
  messages < ROW_MESSAGES && characters < ROW_CHARACTERS;

/** Names a message of a row: the row itself where it is the only one, else `ROW/INDEX/COUNT`. */
export const recordIdOf = (rowId: string, index: number, count: number): string =>
  count === 1 ? rowId : `${rowId}/${index}/${count}`;

/** The row of a message, and which of how many it is in it. */
export function readRecordId(recordId: string): {
  readonly rowId: string;
  readonly index: number;
  readonly count: number;
} {
  const [rowId = '', index = '0', count = '1'] = recordId.split('/');
  return { rowId, index: Number(index), count: Number(count) };
}

/** What is stored for a row. */
export const writeRow = ({ messages }: OutboxRow): string =>
  JSON.stringify(messages.length === 1 ? messages[0] : messages);

const named = z.object({ kind: z.enum(['user', 'organization']), id: z.string() });
// Whatever else a stamp has goes on with it: another version may have written it.
const stamp = {
  type: z.string(),
  audience: z.array(z.discriminatedUnion('kind', [named, z.object({ kind: z.literal('everyone') })])),
  delivery: z.enum(['critical', 'invalidation']),
  key: z.string().exactOptional(),
  effect: z.looseObject({ kind: z.string() }).exactOptional(),
};
const current = z.looseObject({ ...stamp, data: z.string() });
/** Rows of earlier versions have the message itself. */
const former = z
  .looseObject({ ...stamp, message: z.json() })
  .transform(({ message, ...rest }) => ({ ...rest, data: encodeSseData({ type: rest.type, message }) }));
const stamped = z.union([current, former]);
const stored = z.union([stamped.transform((one) => [one]), z.array(stamped).min(1)]);

/** Reads what `writeRow` wrote, in this version or an earlier one; undefined: it is something else. */
export function readRow(text: string): readonly StampedMessage[] | undefined {
  try {
    return stored.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
