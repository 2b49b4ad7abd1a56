import type { Admission } from './admission.js';
import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import type { Hub } from './hub.js';

/** Between two waves, milliseconds. */
const WAVE_MS = 100;
/** At least this many streams are told in a second, so that a few tabs hold nobody up. */
const LEAST_A_SECOND = 20;
/** The longest that a client waits after it was told, milliseconds: waves spread, this only blurs them. */
const DELAY_MS = 1000;
/** How often it looks whether every stream has ended. */
const LOOK_MS = 50;

/**
 * How many streams each wave tells, so that all are told within the drain time and at no less than twenty a second; as
 * even as whole numbers allow. Pure.
 */
export function waves(streams: number, drainMs: number): number[] {
  const most = Math.ceil((streams * 1000) / (LEAST_A_SECOND * WAVE_MS));
  const count = Math.max(1, Math.min(Math.floor(drainMs / WAVE_MS), most));
  return Array.from(
    { length: count },
    (_, wave) => Math.floor(((wave + 1) * streams) / count) - Math.floor((wave * streams) / count),
  );
}

/** Moves every stream of this replica to another one, in waves. */
export class Drain {
  constructor(
    private readonly admission: Admission,
    private readonly hub: Hub,
    private readonly drainSeconds: number,
    private readonly environment: Environment,
  ) {}

  /** Streams that are still open. */
  get open(): number {
    return this.hub.size;
  }

  /**
   * Refuses new streams from this very turn on, and tells the open ones to move, in waves over the drain time. Resolves
   * when none is open: each stays until its client has moved, or its time is over.
   */
  async run(): Promise<void> {
    this.admission.drain();
    const streams = this.#shuffled([...this.hub.all()]);
    let told = 0;
    for (const size of waves(streams.length, this.drainSeconds * 1000)) {
      for (const connection of streams.slice(told, told + size)) {
        connection.drain(Math.round(this.environment.random() * DELAY_MS));
      }
      told += size;
      this.#progress(streams.length, told);
      if (this.hub.size === 0) return;
      if (told < streams.length) await this.#pause(WAVE_MS);
    }
    while (this.hub.size > 0) {
      await this.#pause(LOOK_MS);
      this.#progress(streams.length, told);
    }
  }

  #progress(all: number, told: number): void {
    const here = this.hub.size;
    const waiting = Math.min(here, all - told);
    Object.assign(this.environment.metrics.drain, {
      waiting,
      told: here - waiting,
      gone: Math.max(0, all - here),
    });
  }

  /** In random order, so that one owner's streams, which were opened together, do not all move at once. */
  #shuffled(connections: Connection[]): Connection[] {
    for (let last = connections.length - 1; last > 0; last -= 1) {
      const other = Math.floor(this.environment.random() * (last + 1));
      const [a, b] = [connections[last], connections[other]];
      if (a !== undefined && b !== undefined) [connections[last], connections[other]] = [b, a];
    }
    return connections;
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.environment.clock.after(milliseconds, resolve));
  }
}
