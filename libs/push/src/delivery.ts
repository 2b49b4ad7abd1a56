import type { Effects } from './effects.js';
import type { Environment } from './environment.js';
import { LoggedFrame } from './frame.js';
import type { HoleRecovery } from './hole-recovery.js';
import type { Hub } from './hub.js';
import type { Hole, LogRecord, MessageLog, Offset, Position } from './log.js';
import { Loop } from './loop.js';
import { Window, type WindowLimits } from './window.js';

/** How often critical records that are too old are dropped. */
const EXPIRE_MS = 60_000;

export interface DeliveryLimits {
  readonly window: WindowLimits;
  /** Records that are handed over before sockets may write. A write queue must be able to hold as many. */
  readonly portion: number;
}

/**
 * Reads the log in order, remembers each record in the window, applies its effect, and hands its frame over to the
 * connections of its audience. A record whose effect needs the authenticator holds up the ones after it, so that no
 * message of an organization passes between joining it and hearing of it.
 */
export class Delivery {
  #window: Window | undefined;
  #head: Position | undefined;
  #sincePause = 0;
  /** Those who wait until a record is handed over. */
  #reaching: { readonly offset: Offset; readonly resolve: () => void }[] = [];
  /** Drops critical records that are too old. */
  readonly expiry: Loop;

  constructor(
    private readonly log: MessageLog,
    private readonly hub: Hub,
    private readonly effects: Effects,
    private readonly holeRecovery: HoleRecovery,
    private readonly limits: DeliveryLimits,
    private readonly environment: Environment,
  ) {
    const { clock, onError } = environment;
    this.expiry = new Loop(
      { name: 'expiry', intervalMs: EXPIRE_MS, deadlineMs: EXPIRE_MS, clock, onError },
      () => this.window.expire(clock.now()),
    );
  }

  async start(): Promise<void> {
    const start = await this.log.open();
    this.#head = start.head;
    this.#window = Window.of(this.limits.window, start);
    this.window.expire(this.environment.clock.now());
    this.expiry.start();
    this.log.follow({ record: (record) => this.#read(record), hole: (hole) => this.#skip(hole) });
  }

  stop(): void {
    this.expiry.stop();
  }

  /** The last record that was handed over: the position of a stream that has nothing waiting. */
  get head(): Position {
    if (this.#head === undefined) throw new Error('delivery has not started: call start() first');
    return this.#head;
  }

  /** Resolves once the records up to an offset were handed over, or that time is over. */
  reach(offset: Offset, milliseconds: number): Promise<void> {
    if (this.head.offset >= offset) return Promise.resolve();
    return new Promise((resolve) => {
      this.#reaching.push({ offset, resolve });
      this.environment.clock.after(milliseconds, () => {
        this.#reaching = this.#reaching.filter((one) => one.resolve !== resolve);
        resolve();
      });
    });
  }

  /** Also holds a record whose effect is being applied, so that a stream that registers meanwhile hears of it. */
  get window(): Window {
    if (this.#window === undefined) throw new Error('delivery has not started: call start() first');
    return this.#window;
  }

  async #read(record: LogRecord): Promise<void> {
    try {
      const frame = this.#remember(record);
      const applied = this.effects.apply(record);
      // Only an effect that asks the authenticator waits. Everything else is handed over in this very turn.
      if (applied !== undefined) await applied;
      this.#handOver(frame);
    } catch (error) {
      // One bad record must not end the reading of the log.
      this.environment.onError(error, `handing over a ${record.type}`);
    }
    const pause = this.#pause();
    if (pause !== undefined) await pause;
  }

  async #skip(hole: Hole): Promise<void> {
    await this.holeRecovery.recover(hole, () => {
      this.window.skip(hole);
      this.#moveTo(hole.position);
    });
  }

  #remember(record: LogRecord): LoggedFrame {
    const frame = new LoggedFrame(record);
    this.window.push(frame);
    return frame;
  }

  #handOver(frame: LoggedFrame): void {
    this.#moveTo(frame.position);
    for (const connection of this.hub.of(frame.audience)) connection.deliver(frame);
    this.environment.metrics.handedOver(frame.record.appendedAt);
  }

  #moveTo(position: Position): void {
    this.#head = position;
    if (this.#reaching.length === 0) return;
    const isReached = (one: { readonly offset: Offset }): boolean => one.offset <= position.offset;
    for (const { resolve } of this.#reaching.filter(isReached)) resolve();
    this.#reaching = this.#reaching.filter((one) => !isReached(one));
  }

  /** No socket writes before this turn ends, so a burst would fill the queues of clients that are not slow at all. */
  #pause(): Promise<void> | undefined {
    this.#sincePause += 1;
    if (this.#sincePause < this.limits.portion) return undefined;
    this.#sincePause = 0;
    return new Promise((resolve) => setImmediate(resolve));
  }
}
