import type { AudienceKey } from './audience.js';
import { LoggedFrame } from './frame.js';
import type { Hole, LogRecord, LogStart, Offset, Position } from './log.js';
import { Retention } from './retention.js';

export interface WindowLimits {
  /** Records that are retained for resume, of all audiences together. A large one counts as several. */
  readonly capacity: number;
  /** Critical records, which are retained apart. */
  readonly criticalCapacity: number;
  readonly criticalRetentionMs: number;
}

/** Records with an effect that are retained for admissions under way: they take seconds, not hours. */
const EFFECTS = 1000;

/**
 * What this replica retains of the log, by audience, and from which offset on that is complete. Critical records are
 * retained apart, far longer. Pure: its owner brings the time.
 */
export class Window {
  #invalidations: Retention<LoggedFrame>;
  #beginning: Position;
  readonly #criticals: Retention<LoggedFrame>;
  /** Records with an effect, in order. */
  #effects: LogRecord[] = [];
  /** The last one of these that was dropped, or where reading began. */
  #effectFloor: Offset;
  /** Before it, critical records are missing, and nobody knows whose. */
  #criticalsKnown: Offset;
  #head: Position;

  constructor(
    private readonly limits: WindowLimits,
    floor: Position,
    criticalFloor: Position,
    beginning = floor,
  ) {
    this.#beginning = beginning;
    this.#head = floor;
    this.#effectFloor = floor.offset;
    this.#criticalsKnown = criticalFloor.offset;
    this.#invalidations = new Retention(limits.capacity, floor);
    this.#criticals = new Retention(limits.criticalCapacity, criticalFloor);
  }

  static of(limits: WindowLimits, { head, records, floor, criticalFloor, beginning }: LogStart): Window {
    const window = new Window(limits, floor, criticalFloor, beginning);
    for (const record of records) window.push(new LoggedFrame(record));
    window.#head = head;
    return window;
  }

  /** What was before it is lost, except critical records. */
  get beginning(): Position {
    return this.#beginning;
  }

  /** The last record that came in, or where reading began. */
  get head(): Position {
    return this.#head;
  }

  push(frame: LoggedFrame): void {
    const { record } = frame;
    this.#head = frame.position;
    (record.delivery === 'critical' ? this.#criticals : this.#invalidations).push(frame);
    if (record.effect === undefined) return;
    this.#effects.push(record);
    if (this.#effects.length > EFFECTS)
      this.#effectFloor = this.#effects.shift()?.offset ?? this.#effectFloor;
  }

  /**
   * Some records before this position are missing, and nobody knows which: nothing from before it resumes. Critical ones
   * stay, whether the log still has them or not.
   */
  skip({ kind, position, criticals, isComplete }: Hole): void {
    const known = new Set(this.#criticals.items().flatMap(namesOf));
    for (const frame of criticals.map((record) => new LoggedFrame(record))) {
      if (!namesOf(frame).some((name) => known.has(name))) this.push(frame);
    }
    if (kind !== 'trimmed') this.#beginning = position;
    if (!isComplete) this.#criticalsKnown = position.offset;
    this.#head = position;
    this.#invalidations = new Retention(this.limits.capacity, position);
    this.#effects = [];
    this.#effectFloor = position.offset;
  }

  /** Drops critical records that are too old. */
  expire(now: number): void {
    const oldest = now - this.limits.criticalRetentionMs;
    this.#criticals.dropWhile(({ record }) => record.publishedAt < oldest);
  }

  /** Whether every record after `offset` for these audiences is held. */
  covers(offset: Offset, audiences: readonly AudienceKey[]): boolean {
    return offset >= this.#invalidations.floorOf(audiences).offset && this.coversCriticals(offset, audiences);
  }

  coversCriticals(offset: Offset, audiences: readonly AudienceKey[]): boolean {
    return offset >= this.criticalFloor(audiences).offset;
  }

  /** Whether no critical record after `offset` is missing, neither dropped nor lost in a hole. */
  hasAllCriticals(offset: Offset, audiences: readonly AudienceKey[]): boolean {
    return offset >= this.#criticalsKnown && this.coversCriticals(offset, audiences);
  }

  /** The last critical record of these audiences that was dropped. */
  criticalFloor(audiences: readonly AudienceKey[]): Position {
    return this.#criticals.floorOf(audiences);
  }

  /** What is held for these audiences after `offset`, in order, each once. */
  *after(offset: Offset, audiences: readonly AudienceKey[], only?: 'critical'): Generator<LoggedFrame, void> {
    const lists = this.#criticals.after(offset, audiences);
    if (only === undefined) lists.push(...this.#invalidations.after(offset, audiences));
    for (let last = offset; ;) {
      let earliest: (typeof lists)[number] | undefined;
      let frame: LoggedFrame | undefined;
      for (const list of lists) {
        // A record of several audiences stands in several lists.
        while ((list.items[list.next]?.offset ?? last + 1n) <= last) list.next += 1;
        const candidate = list.items[list.next];
        if (candidate === undefined || (frame !== undefined && frame.offset <= candidate.offset)) continue;
        frame = candidate;
        earliest = list;
      }
      if (earliest === undefined || frame === undefined) return;
      earliest.next += 1;
      last = frame.offset;
      yield frame;
    }
  }

  /** The records with an effect after `offset`; undefined if some of them were dropped. */
  effectsSince(offset: Offset): readonly LogRecord[] | undefined {
    if (offset < this.#effectFloor) return undefined;
    return this.#effects.filter((record) => record.offset > offset);
  }
}

/** What makes two records of one message known as such: a lost log may have given it another cursor. */
const namesOf = ({ id, record }: LoggedFrame): readonly string[] => [id, ...(record.recordIds ?? [])];
