import {
  catalogEntry,
  encodeSseData,
  type Audience,
  type Catalog,
  type CatalogEntry,
  type Conflation,
  type Envelope,
} from '@crossfade/protocol';
import { type EntityChanged } from '@crossfade/protocol/catalog';
import type { Clock } from './clock.js';
import { ConflationWindows } from './conflation.js';
import { PushError } from './errors.js';
import type { MessageLog, StampedMessage } from './log.js';
import { PushMetrics } from './metrics.js';

type MessageIn<C extends Catalog, Type extends keyof C> =
  C[Type] extends CatalogEntry<infer Message> ? Message : never;

/** What may be published: a message of the catalog, or a change of an entity outside it. */
export type Publishable<C extends Catalog> =
  | { [Type in keyof C & string]: { readonly type: Type; readonly message: MessageIn<C, Type> } }[keyof C &
      string]
  | { readonly type: `${string}Changed`; readonly message: EntityChanged };

/** A message that was read and stamped, and not sent yet. */
export interface Prepared {
  readonly entry: CatalogEntry;
  readonly envelope: Envelope;
  /** Undefined: it concerns nobody. */
  readonly stamped: StampedMessage | undefined;
}

/** A message that waits for its conflation window, and who may see it. */
interface Held {
  readonly envelope: Envelope;
  readonly audience: readonly Audience[];
}

/** Of the largest message with its type, as JSON. Larger things are fetched, not pushed. */
export const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;

/**
 * The one way in. Validates a message against its catalog, stamps it and appends it to the log.
 * Publishing never depends on who listens.
 */
export class PushPublisher<C extends Catalog = Catalog> {
  readonly #conflated = new Map<
    string,
    { windows: ConflationWindows<Held>; cancel: (() => void) | undefined }
  >();

  constructor(
    private readonly log: MessageLog,
    private readonly catalog: C,
    private readonly clock: Clock,
    /** Hears of a conflated message that could not be appended later: nobody awaits it any more. */
    private readonly onLateFailure: (error: unknown) => void,
    private readonly metrics = new PushMetrics(),
    private readonly maxMessageBytes = MAX_MESSAGE_BYTES,
  ) {}

  /**
   * Resolves when the message is in the log, or waits for its conflation window, or concerns nobody.
   * @throws PushError `unknown_type`, `invalid_message` or `message_too_large`; what the log throws if it cannot append.
   */
  async publish(published: Publishable<C>): Promise<void> {
    await this.send(this.prepare(published));
  }

  /**
   * Reads and stamps a message without sending it, for whoever records it together with the change that it tells of.
   * @throws PushError as `publish`
   */
  prepare(published: Publishable<C>): Prepared {
    const { entry, envelope } = this.#read(published);
    return { envelope, entry, stamped: this.#stamp(entry, envelope) };
  }

  /** Sends what was prepared. `recordId` names it where it was recorded. */
  async send({ entry, envelope, stamped }: Prepared, recordId?: string): Promise<void> {
    // Types outside the catalog are made up by whoever publishes, and count together.
    const type = Object.hasOwn(this.catalog, envelope.type) ? envelope.type : 'other';
    this.metrics.published(type);
    if (entry.conflate === undefined) return this.#append(stamped, recordId);
    const conflated = this.#windowsOf(envelope.type, entry.conflate);
    const audience = stamped?.audience ?? [];
    // Merging must not change who may see a message, whatever a catalog's key and merge say.
    const key = `${this.#keyOf(entry, envelope)} ${JSON.stringify(audience)}`;
    const outcome = conflated.windows.offer(key, { envelope, audience }, this.clock.elapsed());
    this.#schedule(envelope.type);
    if (outcome === 'merged') this.metrics.conflated(type);
    if (outcome === 'pass') await this.#append(stamped, recordId);
  }

  /** Sends what waits for a conflation window. Call it before the log is closed. */
  async close(): Promise<void> {
    for (const { windows, cancel } of this.#conflated.values()) {
      cancel?.();
      for (const { envelope, audience } of windows.flush()) {
        await this.#append(this.#stamp(this.#entryOf(envelope.type), envelope, audience));
      }
    }
    this.#conflated.clear();
  }

  #entryOf(type: string): CatalogEntry {
    const entry = catalogEntry(type, this.catalog);
    if (entry === undefined) {
      throw new PushError(
        'unknown_type',
        `"${type}" is not a type of the catalog; entities outside it are published as "\${Type}Changed"`,
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

  #keyOf(entry: CatalogEntry, { type, message }: Envelope): string {
    return `${type} ${entry.key?.(message) ?? JSON.stringify(message)}`;
  }

  /** Undefined: nobody may see it, and it changes nothing. */
  #stamp(
    entry: CatalogEntry,
    { type, message }: Envelope,
    audience = entry.audience(message),
  ): StampedMessage | undefined {
    const effect = entry.effect?.(message);
    // What nobody may see can still close a connection.
    if (audience.length === 0 && effect === undefined) return undefined;
    const sent = entry.redact?.(message) ?? message;
    return {
      type,
      message: sent,
      audience,
      delivery: entry.delivery,
      key: this.#keyOf(entry, { type, message: sent }),
      ...(effect === undefined ? {} : { effect }),
    };
  }

  async #append(stamped: StampedMessage | undefined, recordId?: string): Promise<void> {
    if (stamped !== undefined)
      await this.log.append(recordId === undefined ? stamped : { ...stamped, recordId });
  }

  #windowsOf(type: string, { windowMs, merge }: Conflation) {
    let conflated = this.#conflated.get(type);
    if (conflated === undefined) {
      const windows = new ConflationWindows<Held>(windowMs, (earlier, later) => ({
        envelope: { type, message: merge(earlier.envelope.message, later.envelope.message) },
        audience: earlier.audience,
      }));
      conflated = { windows, cancel: undefined };
      this.#conflated.set(type, conflated);
    }
    return conflated;
  }

  #schedule(type: string): void {
    const conflated = this.#conflated.get(type);
    const next = conflated?.windows.nextDue;
    if (conflated === undefined || conflated.cancel !== undefined || next === undefined) return;
    conflated.cancel = this.clock.after(Math.max(0, next - this.clock.elapsed()), () => {
      conflated.cancel = undefined;
      const entry = this.#entryOf(type);
      for (const { envelope, audience } of conflated.windows.due(this.clock.elapsed())) {
        this.#append(this.#stamp(entry, envelope, audience)).catch(this.onLateFailure);
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
