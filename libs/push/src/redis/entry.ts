import type { Audience, DeliveryClass } from '@crossfade/protocol';
import type { Cursor, LogRecord, StampedMessage } from '../log.js';
import type { Reply } from './reply.js';
import { millisecondsOf, type EntryId } from './entry-id.js';

/** The publisher's stamp, but for the audience, which has a field of its own. */
interface Stamp {
  readonly type: string;
  readonly delivery: DeliveryClass;
  readonly key?: string;
  readonly effect?: { readonly kind: string };
  readonly recordIds?: readonly string[];
  /** Of a message that is appended again: what clients know it by, and when it was first published. */
  readonly id?: Cursor;
  readonly publishedAt?: number;
  /** The process that appended it, and when, by its own `Clock.elapsed`. */
  readonly origin?: readonly [process: string, elapsed: number];
}

/** A message as it is appended, with what is known of it from before. */
export type Appended = StampedMessage & Pick<Stamp, 'id' | 'publishedAt' | 'origin'>;

/** The fields of an entry that its publisher decides. The script adds `h`, the head. */
export function fieldsOf({ audience, data, ...stamp }: Appended): string[] {
  return ['s', JSON.stringify(stamp satisfies Stamp), 'a', JSON.stringify(audience), 'd', data];
}

/** One entry of the stream. */
export interface Entry {
  readonly id: EntryId;
  /** The entry before it, and the log that both are in. */
  readonly prev: EntryId;
  readonly epoch: string;
  /** How many entries the log had when it was appended, itself included. */
  readonly number: number;
  /** A string for each field. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Reads the entries of a reply of `XRANGE`, or of the one stream in a reply of `XREAD`. */
export function readEntries(reply: Reply): Entry[] {
  if (!Array.isArray(reply)) return [];
  return (reply as readonly (readonly [EntryId, readonly string[]])[]).map(([id, list]) => {
    const fields: Record<string, string> = {};
    for (let at = 0; at + 1 < list.length; at += 2) fields[list[at] ?? ''] = list[at + 1] ?? '';
    const [prev = '', epoch = '', number = ''] = (fields['h'] ?? '').split(' ');
    return { id, prev, epoch, number: Number(number), fields };
  });
}

/**
 * The record of an entry. The message itself is not parsed: most replicas have nobody for it.
 * @throws SyntaxError if an entry is none that `fieldsOf` made
 */
export function recordOf(entry: Entry, offset: bigint, process: string): LogRecord {
  const { id: entryId, epoch, fields } = entry;
  // `fieldsOf` made them.
  const { id, publishedAt, origin, ...stamp } = JSON.parse(fields['s'] ?? '') as Stamp;
  return {
    ...stamp,
    audience: JSON.parse(fields['a'] ?? '') as Audience[],
    data: fields['d'] ?? '',
    cursor: cursorOf(epoch, entryId),
    offset,
    publishedAt: publishedAt ?? millisecondsOf(entryId),
    ...(id === undefined ? {} : { id }),
    ...(origin?.[0] === process ? { appendedAt: origin[1] } : {}),
  };
}

export const cursorOf = (epoch: string, id: EntryId): Cursor => `${epoch}.${id}`;

/** The entry of a cursor that `cursorOf` made. */
export const entryIdOf = (cursor: Cursor): EntryId => cursor.slice(cursor.indexOf('.') + 1);
