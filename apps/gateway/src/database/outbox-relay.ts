import { Injectable } from '@nestjs/common';
import type { catalog } from '@crossfade/protocol/catalog';
import { PushPublisher, systemClock, withDeadline, type JournalEntry } from '@crossfade/push';
import { Outbox } from './outbox.js';
import type { Queries } from './database.js';

/** How old rows must be, milliseconds: the replica that made them appends them at once, or at the end of an interval. */
const AGE_MS = 1000;
/** After this, a round begins no further row, milliseconds. */
const ROUND_MS = 1500;
/** How long a round waits for the log to take a message, milliseconds. It may still take it later. */
const PATIENCE_MS = 500;
/** How many times as long as it waited in vain a replica rests: nobody else relays while it waits. */
const RESTS = 4;

/**
 * Appends what the replica that recorded it did not: it was killed, cut off, or is slow. What is in the log already is
 * dropped there by its record id, so two relays at once, or one that is killed before a row is removed, repeat nothing. Each
 * round begins with the oldest row, because transactions commit in another order than they recorded.
 */
@Injectable()
export class OutboxRelay {
  #appended = 0;
  /** By `performance.now`. */
  #restsUntil = 0;

  constructor(
    private readonly outbox: Outbox,
    private readonly publisher: PushPublisher<typeof catalog>,
  ) {}

  /** Messages that this replica appended in place of another, or of itself. Some may have been in the log already. */
  get appended(): number {
    return this.#appended;
  }

  /** Appends rows of at least that age, as long as the log takes them. Only one replica does. @throws what the database throws */
  async round(ageMs = AGE_MS): Promise<void> {
    if (performance.now() >= this.#restsUntil && (await this.outbox.hasUnappended(ageMs)))
      await this.outbox.asOnlyRelay((queries) => this.#relay(queries, ageMs));
  }

  async #relay(queries: Queries, ageMs: number): Promise<void> {
    const until = performance.now() + ROUND_MS;
    for (let after: number | undefined = 0; after !== undefined;) {
      const { rows, last } = await this.outbox.unappended(queries, after, ageMs);
      for (const entries of rows) {
        if (performance.now() > until || !(await this.#appendAll(entries))) return;
      }
      after = last;
    }
  }

  /** @returns whether the log took them. If not, those behind stay too, so that a transaction's order does. */
  async #appendAll(entries: readonly JournalEntry[]): Promise<boolean> {
    let begun = 0;
    try {
      for (const { recordId, message } of entries) {
        begun = performance.now();
        const resent = this.publisher.resend({ ...message, recordIds: [recordId] });
        await withDeadline(systemClock, PATIENCE_MS, 'the log', resent);
        this.#appended += 1;
      }
      return true;
    } catch (error) {
      const failed = performance.now();
      this.#restsUntil = failed + RESTS * (failed - begun);
      this.outbox.logOutage(error);
      return false;
    }
  }
}
