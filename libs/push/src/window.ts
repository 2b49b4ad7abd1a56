import { AudienceLists } from './audience-lists.js';
import { LoggedFrame } from './frame.js';
import type { LogRecord, LogStart, Place, Position } from './log.js';

export interface WindowLimits {
  /** Records that can be resumed from, of all audiences together; a large one counts as several. */
  readonly capacity: number;
  /** Critical records, which are kept apart. */
  readonly criticalCapacity: number;
  readonly criticalRetentionMs: number;
}

/** Records with an effect, kept for whoever is being admitted meanwhile: seconds, not hours. */
const EFFECTS = 1000;

/**
 * What this replica remembers of the log, by audience, and from where on it is complete. Critical records are kept
 * apart, far longer. Pure: whoever owns it brings the time.
 */
export class Window {
  readonly #invalidations: AudienceLists<LoggedFrame>;
  readonly #criticals: AudienceLists<LoggedFrame>;
  /** Records with an effect, in order, and the last one that was dropped, or where reading began. */
  readonly #effects: LogRecord[] = [];
  #effectFloor: Place;
  #head: Position;

  constructor(
    private readonly limits: WindowLimits,
    /** Where this process began to read. */
    readonly start: Position,
    criticalFloor: Position,
  ) {
    this.#head = start;
    this.#effectFloor = start.place;
    this.#invalidations = new AudienceLists(limits.capacity, start);
    this.#criticals = new AudienceLists(limits.criticalCapacity, criticalFloor);
  }

  static of(limits: WindowLimits, { head, criticals, criticalFloor }: LogStart): Window {
    const window = new Window(limits, head, criticalFloor);
    for (const record of criticals) window.#criticals.push(new LoggedFrame(record));
    return window;
  }

  /** The last record that came in, or where reading began. */
  get head(): Position {
    return this.#head;
  }

  push(frame: LoggedFrame): void {
    const { record } = frame;
    this.#head = { cursor: record.cursor, place: record.place };
    (record.delivery === 'critical' ? this.#criticals : this.#invalidations).push(frame);
    if (record.effect === undefined) return;
    this.#effects.push(record);
    if (this.#effects.length > EFFECTS) this.#effectFloor = this.#effects.shift()?.place ?? this.#effectFloor;
  }

  /** Forgets critical records that are too old. */
  expire(now: number): void {
    const oldest = now - this.limits.criticalRetentionMs;
    this.#criticals.dropWhile(({ record }) => record.publishedAt < oldest);
  }

  /** Whether every record after `place` for these audiences is held. */
  covers(place: Place, audiences: readonly string[]): boolean {
    return place >= this.#invalidations.floorOf(audiences).place && this.coversCriticals(place, audiences);
  }

  coversCriticals(place: Place, audiences: readonly string[]): boolean {
    return place >= this.criticalFloor(audiences).place;
  }

  /** The last critical record of these audiences that is not held any more. */
  criticalFloor(audiences: readonly string[]): Position {
    return this.#criticals.floorOf(audiences);
  }

  /** What is held for these audiences after `place`, in order, each once. */
  *after(place: Place, audiences: readonly string[], only?: 'critical'): Generator<LoggedFrame, void> {
    const lists = this.#criticals.after(place, audiences);
    if (only === undefined) lists.push(...this.#invalidations.after(place, audiences));
    for (let last = place; ;) {
      let earliest: (typeof lists)[number] | undefined;
      let frame: LoggedFrame | undefined;
      for (const list of lists) {
        // A record of several audiences stands in several lists.
        while ((list.items[list.next]?.place ?? last + 1n) <= last) list.next += 1;
        const candidate = list.items[list.next];
        if (candidate === undefined || (frame !== undefined && frame.place <= candidate.place)) continue;
        frame = candidate;
        earliest = list;
      }
      if (earliest === undefined || frame === undefined) return;
      earliest.next += 1;
      last = frame.place;
      yield frame;
    }
  }

  /** The records with an effect after `place`; undefined if some of them are no longer held. */
  effectsSince(place: Place): readonly LogRecord[] | undefined {
    if (place < this.#effectFloor) return undefined;
    return this.#effects.filter((record) => record.place > place);
  }
}
