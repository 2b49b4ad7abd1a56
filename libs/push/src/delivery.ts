import type { Effects } from './effects.js';
import type { Environment } from './environment.js';
import { LoggedFrame } from './frame.js';
import type { Hub } from './hub.js';
import type { LogRecord, MessageLog, Position } from './log.js';
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
  /** Drops critical records that are too old. */
  readonly expiry: Loop;

  constructor(
    private readonly log: MessageLog,
    private readonly hub: Hub,
    private readonly effects: Effects,
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
    this.log.follow((record) => this.#read(record));
  }

  stop(): void {
    this.expiry.stop();
  }

  /** The last record that was handed over: the position of a stream that has nothing waiting. */
  get head(): Position {
    if (this.#head === undefined) throw new Error('delivery has not started: call start() first');
    return this.#head;
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

  #remember(record: LogRecord): LoggedFrame {
    const frame = new LoggedFrame(record);
    this.window.push(frame);
    return frame;
  }

  #handOver(frame: LoggedFrame): void {
    this.#head = frame.position;
    for (const connection of this.hub.of(frame.audience)) connection.deliver(frame);
    this.environment.metrics.handedOver(frame.record.appendedAt);
  }

  /** No socket writes before this turn ends, so a burst would fill the queues of clients that are not slow at all. */
  #pause(): Promise<void> | undefined {
    this.#sincePause += 1;
    if (this.#sincePause < this.limits.portion) return undefined;
    this.#sincePause = 0;
    return new Promise((resolve) => setImmediate(resolve));
  }
}
