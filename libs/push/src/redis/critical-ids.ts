import type { Clock } from '../clock.js';
import type { SharedJournal } from '../journal.js';
import type { Cursor, LogRecord } from '../log.js';
import { Patience } from '../patience.js';
import { entryIdOf } from './entry.js';
import { offsetOf } from './entry-id.js';

/** Records that the journal is asked about at once. */
const AT_ONCE = 64;

/**
 * The ids by which clients know critical messages: the first cursor that the journal has of each. Who reads a record asks the
 * journal before anybody is handed it. So a message that Redis loses, and that is appended again, has the id that it had,
 * whoever was handed it.
 */
export class CriticalIds {
  readonly #patience: Patience;

  constructor(
    private readonly journal: SharedJournal | undefined,
    clock: Clock,
    private readonly onError: (error: unknown, doing: string) => void,
  ) {
    this.#patience = new Patience(clock, 'the journal');
  }

  /** The records, critical ones under their ids. Never rejects: if the journal does not answer, cursors are ids. */
  async of(records: readonly LogRecord[]): Promise<readonly LogRecord[]> {
    if (this.journal === undefined) return records;
    const asked = records.filter(
      ({ delivery, id, recordIds = [] }) =>
        delivery === 'critical' && id === undefined && recordIds.length > 0,
    );
    const ids = new Map<LogRecord, Cursor | undefined>();
    for (let first = 0; first < asked.length && !this.#patience.isOver; first += AT_ONCE) {
      const some = asked.slice(first, first + AT_ONCE);
      const answers = await this.#ask(some);
      for (const [index, record] of some.entries()) ids.set(record, answers[index]);
    }
    if (ids.size === 0) return records;
    return records.map((record) => {
      const id = ids.get(record) ?? record.cursor;
      return id === record.cursor ? record : { ...record, id };
    });
  }

  /** Records where a message stands in the log, unless the journal has that. Returns the first cursor. @throws what the journal throws */
  async record(recordIds: readonly string[], cursor: Cursor): Promise<Cursor | undefined> {
    const position = { cursor, offset: offsetOf(0, entryIdOf(cursor)) };
    const [first] = await Promise.all(
      recordIds.map((recordId) => this.journal?.recordFirstPosition(recordId, position)),
    );
    return first;
  }

  async #ask(records: readonly LogRecord[]): Promise<readonly (Cursor | undefined)[]> {
    try {
      return await this.#patience.wait(() =>
        Promise.all(records.map(({ recordIds = [], cursor }) => this.record(recordIds, cursor))),
      );
    } catch (error) {
      this.onError(error, 'recording the ids of critical messages; should Redis lose them, others follow');
      return [];
    }
  }
}
