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
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly intervalSeconds: number,
    private readonly head: () => Position,
    private readonly random: () => number = Math.random,
  ) {}

  start(): void {
    this.#timer = setInterval(() => this.tick(), (this.intervalSeconds * 1000) / SLOTS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
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
