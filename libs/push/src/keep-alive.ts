import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import { PositionFrame } from './frame.js';
import type { Position } from './log.js';
import { Loop } from './loop.js';

const SLOTS = 60;

/** Keep-alives of quiet streams, spread over the interval: each connection has one of 60 slots, and each tick visits one. */
export class KeepAlive {
  readonly #slots: readonly Set<Connection>[] = Array.from({ length: SLOTS }, () => new Set<Connection>());
  readonly #slotOf = new Map<Connection, Set<Connection>>();
  #next = 0;
  readonly loop: Loop;

  constructor(
    intervalSeconds: number,
    /** Where a stream stands that has nothing waiting. */
    private readonly head: () => Position,
    private readonly environment: Environment,
  ) {
    const { clock, onError } = environment;
    const intervalMs = (intervalSeconds * 1000) / SLOTS;
    this.loop = new Loop({ name: 'keep_alive', intervalMs, deadlineMs: intervalMs, clock, onError }, () =>
      this.tick(),
    );
  }

  add(connection: Connection): void {
    const slot = this.#slots[Math.floor(this.environment.random() * SLOTS)];
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
    const head = new PositionFrame(this.head());
    for (const connection of this.#slots[this.#next] ?? []) connection.keepAlive(head);
    this.#next = (this.#next + 1) % SLOTS;
  }
}
