import type { CloseReason } from '@crossfade/protocol';
import type { Clock } from './clock.js';
import type { Transport } from './connection.js';
import type { Frame } from './frame.js';

/** A socket whose willingness to take bytes is set by hand. */
export class ScriptedTransport implements Transport {
  readonly name = 'sse';
  writable = true;
  readonly written: Frame[][] = [];
  readonly keepAlives: (string | undefined)[] = [];
  ended: CloseReason | undefined;
  destroyed = false;
  #events: { drained(): void; closed(): void } | undefined;

  listen(events: { drained(): void; closed(): void }): void {
    this.#events = events;
  }

  write(frames: readonly Frame[]): void {
    this.written.push([...frames]);
  }

  writeKeepAlive(head: string | undefined): void {
    this.keepAlives.push(head);
  }

  end(reason: CloseReason): void {
    this.ended = reason;
  }

  destroy(): void {
    this.destroyed = true;
    this.close();
  }

  /** The socket takes bytes again. */
  drain(): void {
    this.writable = true;
    this.#events?.drained();
  }

  /** The socket is gone. */
  close(): void {
    this.writable = false;
    this.#events?.closed();
  }

  get types(): string[] {
    return this.written.flat().map(({ envelope }) => envelope.type);
  }
}

/** A clock that moves when it is told to. */
export function manualClock(): { clock: Clock; advance(milliseconds: number): void } {
  let now = 0;
  const timers = new Set<{ at: number; call: () => void }>();
  return {
    clock: {
      now: () => now,
      after(milliseconds, call) {
        const timer = { at: now + milliseconds, call };
        timers.add(timer);
        return () => timers.delete(timer);
      },
    },
    advance(milliseconds) {
      const until = now + milliseconds;
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        now = next.at;
        next.call();
      }
      now = until;
    },
  };
}

/** Waits until everything that was set going in this turn has run. */
export const settled = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
