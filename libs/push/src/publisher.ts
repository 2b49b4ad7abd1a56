import {
  catalogEntry,
  encodeSseData,
  hasOwnEntry,
  type Audience,
  type Catalog,
  type CatalogEntry,
  type Envelope,
  type Conflation as ConflationRule,
} from '@crossfade/protocol';
import { Conflation } from './conflation.js';
import type { Environment } from './environment.js';
import { PushError } from './errors.js';
import type { MessageLog, StampedMessage } from './log.js';

type MessageIn<C extends Catalog, Type extends keyof C> =
  C[Type] extends CatalogEntry<infer Message> ? Message : never;

/** The types that a row of the catalog is for: its name, or all that end as its pattern does. */
type TypesOf<Name extends string> = Name extends `*${infer Suffix}` ? `${string}${Suffix}` : Name;

/** What may be published: a message of the catalog. */
export type Publishable<C extends Catalog> = {
  [Name in keyof C & string]: { readonly type: TypesOf<Name>; readonly message: MessageIn<C, Name> };
}[keyof C & string];

/** The request that publishes, as far as readers of the log may want to know it. */
export type PublishingRequest = Pick<StampedMessage, 'madeBy' | 'traceparent'>;

/** A message that was read and stamped, and not sent yet. */
export interface Prepared {
  readonly entry: CatalogEntry;
  readonly request: PublishingRequest;
  readonly envelope: Envelope;
  /** Undefined: it is for nobody. */
  readonly stamped: StampedMessage | undefined;
}

/** A message that waits for the end of its interval, who may see it, and what it stands for. */
interface Waiting {
  readonly envelope: Envelope;
  readonly audience: readonly Audience[];
  readonly recordIds: readonly string[];
  /** None, if it stands for several. */
  readonly request: PublishingRequest;
}

/** Bytes of the largest message with its type, as JSON. What is larger is fetched, not pushed. */
export const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;

/**
 * Intervals end at multiples of this, milliseconds: what waits for their end is appended together, and read together by every
 * replica.
 */
const TOGETHER_MS = 50;

/**
 * The one way in: validates a message by its catalog, stamps it and appends it to the log. Publishing never depends on
 * who is connected.
 */
export class PushPublisher<C extends Catalog = Catalog> {
  readonly #conflated = new Map<
    string,
    { conflation: Conflation<Waiting>; cancel: (() => void) | undefined }
  >();

  constructor(
    private readonly log: MessageLog,
    private readonly catalog: C,
    private readonly maxMessageBytes: number,
    private readonly environment: Pick<Environment, 'clock' | 'metrics' | 'onError'>,
  ) {}

  /**
   * Resolves when the message is in the log, or waits for the end of its interval, or is for nobody.
   * @throws PushError `unknown_type`, `invalid_message` or `message_too_large`; what the log throws if it cannot append.
   */
  async publish(published: Publishable<C>): Promise<void> {
    await this.send(this.prepare(published));
  }

  /**
   * Reads and stamps a message without sending it, for a caller that records it together with the change it tells of.
   * `request.madeBy` counts only for invalidations without an effect; its owner must be the caller.
   * @throws PushError as `publish`
   */
  prepare(published: Publishable<C>, request: PublishingRequest = {}): Prepared {
    const { entry, envelope } = this.#read(published);
    return { envelope, entry, request, stamped: this.#stamp(entry, envelope, request) };
  }

  /** Sends what was prepared. `recordId` names it where it was recorded. */
  async send({ entry, envelope, request, stamped }: Prepared, recordId?: string): Promise<void> {
    // Types without a row of their own are made up by those who publish, and count together.
    const { metrics, clock } = this.environment;
    const type = hasOwnEntry(envelope.type, this.catalog) ? envelope.type : 'other';
    metrics.published(type);
    const recordIds = recordId === undefined ? [] : [recordId];
    if (entry.conflate === undefined) return this.#append(stamped, recordIds);
    const conflated = this.#conflationOf(envelope.type, entry.conflate);
    const audience = stamped?.audience ?? [];
    // Merging must not change who may see a message, whatever a catalog's key and merge say.
    const key = `${this.#keyOf(entry, envelope, stamped?.madeBy)} ${JSON.stringify(audience)}`;
    const waiting = { envelope, audience, recordIds, request };
    const outcome = conflated.conflation.add(key, waiting, clock.elapsed());
    this.#schedule(envelope.type);
    if (outcome === 'merged') metrics.conflated(type);
    if (outcome === 'pass') await this.#append(stamped, recordIds);
  }

  /** Appends a message as it was stamped and recorded before: nothing is conflated or counted. @throws what the log throws */
  async resend(recorded: StampedMessage): Promise<void> {
    await this.log.append(recorded);
  }

  /** Sends what waits for the end of an interval. Call it before the log is closed. */
  async close(): Promise<void> {
    for (const { conflation, cancel } of this.#conflated.values()) {
      cancel?.();
      for (const { envelope, audience, recordIds, request } of conflation.flush()) {
        const stamped = this.#stamp(this.#entryOf(envelope.type), envelope, request, audience);
        await this.#append(stamped, recordIds);
      }
    }
    this.#conflated.clear();
  }

  #entryOf(type: string): CatalogEntry {
    const entry = catalogEntry(type, this.catalog);
    if (entry === undefined) {
      throw new PushError(
        'unknown_type',
        `"${type}" is not a type of the catalog, which has ${Object.keys(this.catalog).join(', ')}`,
      );
    }
    return entry;
  }

  #read({ type, message }: Envelope): { entry: CatalogEntry; envelope: Envelope } {
    const entry = this.#entryOf(type);
    const parsed = entry.schema.safeParse(message);
    if (!parsed.success) {
      const issues = parsed.error.issues.map((issue) => ({
        path: issue.path.map(String).join('.'),
        message: issue.message,
      }));
      const [first] = issues;
      throw new PushError(
        'invalid_message',
        `${type} is not valid: ${first?.path || 'message'}: ${first?.message ?? 'refused'}`,
        issues,
      );
    }
    const envelope = { type, message: parsed.data };
    const bytes = bytesOf(envelope);
    if (bytes > this.maxMessageBytes) {
      throw new PushError(
        'message_too_large',
        `${type} has ${bytes} bytes as JSON; a message may have ${this.maxMessageBytes}`,
      );
    }
    return { entry, envelope };
  }

  /** A message that one stream does not hear equals no other one. */
  #keyOf(entry: CatalogEntry, { type, message }: Envelope, madeBy: StampedMessage['madeBy']): string {
    const own = `${type} ${entry.key?.(message) ?? JSON.stringify(message)}`;
    return madeBy === undefined ? own : `${own} ${JSON.stringify(madeBy)}`;
  }

  /** Undefined: nobody may see the message, and it changes nothing. */
  #stamp(
    entry: CatalogEntry,
    { type, message }: Envelope,
    { madeBy, traceparent }: PublishingRequest,
    audience = entry.audience(message),
  ): StampedMessage | undefined {
    const effect = entry.effect?.(message);
    const marked = entry.delivery === 'invalidation' && effect === undefined ? madeBy : undefined;
    // A message that nobody may see can still close a connection.
    if (audience.length === 0 && effect === undefined) return undefined;
    const sent = { type, message: entry.redact?.(message) ?? message };
    return {
      type,
      data: encodeSseData(sent),
      audience,
      delivery: entry.delivery,
      ...(entry.key === undefined && marked === undefined ? {} : { key: this.#keyOf(entry, sent, marked) }),
      ...(effect === undefined ? {} : { effect }),
      ...(marked === undefined ? {} : { madeBy: marked }),
      ...(traceparent === undefined ? {} : { traceparent }),
    };
  }

  async #append(stamped: StampedMessage | undefined, recordIds: readonly string[]): Promise<void> {
    if (stamped === undefined) return;
    const { metrics, clock } = this.environment;
    const begun = clock.elapsed();
    try {
      await this.log.append(recordIds.length === 0 ? stamped : { ...stamped, recordIds });
      metrics.appended(begun, 'appended');
    } catch (error) {
      metrics.appended(begun, 'failed');
      throw error;
    }
  }

  #conflationOf(type: string, { intervalMs, merge }: ConflationRule) {
    let conflated = this.#conflated.get(type);
    if (conflated === undefined) {
      const conflation = new Conflation<Waiting>(intervalMs, (earlier, later) => ({
        envelope: { type, message: merge(earlier.envelope.message, later.envelope.message) },
        audience: earlier.audience,
        recordIds: [...earlier.recordIds, ...later.recordIds],
        request: {},
      }));
      conflated = { conflation, cancel: undefined };
      this.#conflated.set(type, conflated);
    }
    return conflated;
  }

  #schedule(type: string): void {
    const conflated = this.#conflated.get(type);
    const next = conflated?.conflation.nextDue;
    if (conflated === undefined || conflated.cancel !== undefined || next === undefined) return;
    const { clock, onError } = this.environment;
    const together = Math.ceil(next / TOGETHER_MS) * TOGETHER_MS;
    conflated.cancel = clock.after(Math.max(0, together - clock.elapsed()), () => {
      conflated.cancel = undefined;
      const entry = this.#entryOf(type);
      for (const { envelope, audience, recordIds, request } of conflated.conflation.due(clock.elapsed())) {
        const stamped = this.#stamp(entry, envelope, request, audience);
        this.#append(stamped, recordIds).catch((error: unknown) =>
          // Nobody awaits it any more.
          onError(error, 'publishing a conflated message'),
        );
      }
      this.#schedule(type);
    });
  }
}

function bytesOf(envelope: Envelope): number {
  try {
    return Buffer.byteLength(encodeSseData(envelope));
  } catch (error) {
    throw new PushError('invalid_message', `${envelope.type} cannot be written as JSON: ${String(error)}`);
  }
}
