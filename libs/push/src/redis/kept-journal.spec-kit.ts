import type { JournalEntry, SharedJournal } from '../journal.js';
import type { Cursor, Position, StampedMessage } from '../log.js';

/** A journal in memory, as a database would keep it. */
export class KeptJournal implements SharedJournal {
  /** Record ids of what was removed, whether it was there or not. */
  readonly removed: string[] = [];
  readonly #entries = new Map<string, JournalEntry>();

  get entries(): readonly JournalEntry[] {
    return [...this.#entries.values()];
  }

  async criticals(most: number): Promise<readonly JournalEntry[]> {
    return this.entries.filter(({ message }) => message.delivery === 'critical').slice(-most);
  }

  async recordFirstPosition(recordId: string, { cursor }: Position): Promise<Cursor | undefined> {
    const entry = this.#entries.get(recordId);
    if (entry === undefined) return undefined;
    const first = entry.cursor ?? cursor;
    this.#entries.set(recordId, { ...entry, cursor: first });
    return first;
  }

  async remove(recordIds: readonly string[]): Promise<void> {
    this.removed.push(...recordIds);
    for (const recordId of recordIds) this.#entries.delete(recordId);
  }

  /** Records a message under each of its record ids. @returns the message */
  record(message: StampedMessage): StampedMessage {
    for (const recordId of message.recordIds ?? [])
      this.#entries.set(recordId, { recordId, message, publishedAt: 5, cursor: undefined });
    return message;
  }
}
