import type * as z from 'zod/mini';
import type { Audience } from './audience.js';
import type { Effect } from './effect.js';

/** `critical` must arrive; an `invalidation` says "what you hold is stale", and equal ones merge. */
export type DeliveryClass = 'critical' | 'invalidation';

/**
 * One row of a catalog: everything the publisher stamps on a record of this type.
 * The functions get only what `schema` has read. They are methods so that rows of different messages fit one catalog.
 */
export interface CatalogEntry<Message = unknown> {
  /** Reads a published message; fields that it does not name are dropped. */
  readonly schema: z.ZodMiniType<Message>;
  /** Who may see the message. Empty: nobody, and the message is not sent. */
  audience(message: Message): readonly Audience[];
  readonly delivery: DeliveryClass;
  /**
   * Invalidations of one type with equal keys are equal, and have the same audience. Without a key, those with the same
   * payload are equal.
   */
  key?(message: Message): string;
  /** What goes over the wire, where that is less than what was published. */
  redact?(message: Message): Message;
  /** What the record changes about open connections. */
  effect?(message: Message): Effect | undefined;
  readonly conflate?: Conflation<Message>;
}

/**
 * Thins equal messages before the log: the first goes out at once, and equal ones for the same audience that follow
 * within `intervalMs` become one, which goes out when the interval ends.
 */
export interface Conflation<Message = unknown> {
  readonly intervalMs: number;
  merge(earlier: Message, later: Message): Message;
}

/**
 * Message types by name. A name of the form `*Changed` is a pattern: its row is for every type that has no row of its
 * own and ends so, after a name in PascalCase of up to 64 letters and digits.
 */
export type Catalog = Readonly<Record<string, CatalogEntry>>;

const PATTERN = '*';
const NAME = /^[A-Z][A-Za-z0-9]{0,63}$/;

/** The row of a type: its own, else that of a pattern; undefined if the catalog knows no such type. */
export function catalogEntry(type: string, catalog: Catalog): CatalogEntry | undefined {
  if (hasOwnEntry(type, catalog)) return catalog[type];
  const pattern = Object.keys(catalog).find(
    (name) =>
      name.startsWith(PATTERN) && type.endsWith(name.slice(1)) && NAME.test(type.slice(0, 1 - name.length)),
  );
  return pattern === undefined ? undefined : catalog[pattern];
}

/** Whether a type has a row of its own; a pattern's row is for types that the publisher makes up. */
export const hasOwnEntry = (type: string, catalog: Catalog): boolean =>
  !type.startsWith(PATTERN) && Object.hasOwn(catalog, type);
