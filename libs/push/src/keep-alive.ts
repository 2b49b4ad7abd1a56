import type { Clock } from './clock.js';
import type { Connection } from './connection.js';
import { MarkFrame } from './frame.js';
import type { Position } from './log.js';

const SLOTS = 60;

/**
 * Signs of life for quiet streams, spread over the interval: each connection has one of 60 slots, and each tick
 * visits one of them.
 */
export class KeepAlive {
  readonly #slots: readonly Set<Connection>[] = Array.from({ length: SLOTS }, () => new Set<Connection>());
  readonly #slotOf = new Map<Connection, Set<Connection>>();
  #next = 0;
  #cancel: () => void = () => undefined;

  constructor(
    readonly intervalSeconds: number,
    private readonly head: () => Position,
    private readonly clock: Clock,
    private readonly random: () => number = Math.random,
  ) {}

  start(): void {
    const interval = (this.intervalSeconds * 1000) / SLOTS;
    let next = this.clock.now() + interval;
    const wait = (): void => {
      this.#cancel = this.clock.after(Math.max(0, next - this.clock.now()), () => {
        // From when it was due, not from now: a busy process must not stretch the interval.
        next = Math.max(next + interval, this.clock.now());
        this.tick();
        wait();
      });
    };
    wait();
  }

  stop(): void {
    this.#cancel();
  }

  add(connection: Connection): void {
    const slot = this.#slots[Math.floor(this.random() * SLOTS)];
    if (slot === undefined) return;
    slot.add(connection);
    this.#slotOf.set(connection, slot);
  }

  remove(connection: Connection): void {
    this.#slotOf.get(connection)?.delete(connection);
    this.#slotOf.delete(connection);
  }

  get size(): number {
    return this.#slotOf.size;
  }

  /** Visits the next slot. */
  tick(): void {
    const head = new MarkFrame(this.head());
    for (const connection of this.#slots[this.#next] ?? []) connection.keepAlive(head);
    this.#next = (this.#next + 1) % SLOTS;
  }
}
