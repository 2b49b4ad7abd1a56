import { ConnectionTimeoutError } from '@redis/client';
import type { Clock } from '../clock.js';
import { DeadlineError, withDeadline } from '../deadline.js';
import type { RedisAddress } from './address.js';
import { COMMAND_MS, type Client } from './client.js';
import { makeClient } from './clients.js';
import { NotConnected } from './fault.js';
import type { Reply } from './reply.js';
import type { Script } from './script.js';

export interface RedisConnectionOptions {
  readonly address: RedisAddress;
  /** Names the connection in `CLIENT LIST`. */
  readonly name: string;
  readonly clock: Clock;
  /** Hears of a connection that was lost or given up, and of each failed attempt to connect. */
  readonly onError: (error: unknown, doing: string) => void;
}

/** How long the first attempt to connect may take, milliseconds. */
const CONNECT_MS = 5000;
/** A client that has not connected for so long, milliseconds, may wait for an answer that never comes. */
const STUCK_MS = 5000;

/**
 * One connection to Redis. It reconnects by itself, and never queues a command while it is not connected. Every command has
 * a deadline. A command that passes it may still be carried out, and the connection is given up and opened again: a server
 * that is cut off answers none of the next ones either.
 */
export class RedisConnection {
  #client: Client;
  /** Since when it has not been ready, by `Clock.elapsed`. */
  #downSince: number | undefined;
  #isClosed = false;
  #readyTimes = 0;
  #onFirst: ((error?: unknown) => void) | undefined;
  /** What was slow last in the first attempt to connect. */
  #slowness: unknown;

  constructor(private readonly options: RedisConnectionOptions) {
    this.#client = this.#make();
  }

  /** How often it has connected again. */
  get reconnects(): number {
    return Math.max(0, this.#readyTimes - 1);
  }

  /** Whether it is connected; to a Cluster, whether it is to all masters. */
  get isReady(): boolean {
    return !this.#isClosed && this.#client.isReady;
  }

  /** Call it once. Resolves when it is connected. @throws what the first attempt fails with, or DeadlineError */
  async connect(): Promise<void> {
    const first = new Promise<void>((resolve, reject) => {
      this.#onFirst = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.#open();
    try {
      await withDeadline(this.options.clock, CONNECT_MS, 'Redis', first);
    } catch (error) {
      this.close();
      throw error instanceof DeadlineError ? (this.#slowness ?? error) : error;
    } finally {
      this.#onFirst = undefined;
    }
  }

  /**
   * Sends a command. `key` is any of its keys.
   * @throws NotConnected; DeadlineError, after which it may still be carried out; Redis' error
   */
  async send(key: string, args: readonly string[], deadlineMs = COMMAND_MS): Promise<Reply> {
    const client = this.#client;
    if (this.#isClosed || !client.isReadyFor(key)) {
      this.#reopenIfStuck();
      throw new NotConnected();
    }
    try {
      const sent = client.send(key, [...args]) as Promise<Reply>;
      return await this.#answer(sent, deadlineMs);
    } catch (error) {
      if (isOfWrongServer(error) && client === this.#client) {
        this.#fail(error);
        this.reopen();
      }
      throw error;
    }
  }

  /** Runs a script. Its keys are all in one slot. @throws as `send` */
  async run(
    { sha, source }: Script,
    keys: readonly [string, ...string[]],
    args: readonly string[],
    deadlineMs = COMMAND_MS,
  ): Promise<Reply> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.send(keys[0], ['EVALSHA', sha, ...rest], deadlineMs);
    } catch (error) {
      // A server that was restarted, or another one, has not seen it yet.
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return this.send(keys[0], ['EVAL', source, ...rest], deadlineMs);
    }
  }

  /** Gives the connection up, with all that waits for an answer, and opens another. */
  reopen(): void {
    if (this.#isClosed) return;
    this.#client.destroy();
    this.#client = this.#make();
    this.#open();
  }

  /** Commands that wait for an answer are rejected. */
  close(): void {
    this.#isClosed = true;
    this.#client.destroy();
  }

  /** While the event loop was busy, an answer may have come that it has not read. So it gets a turn to do so. */
  async #answer(sent: Promise<Reply>, deadlineMs: number): Promise<Reply> {
    try {
      return await withDeadline(this.options.clock, deadlineMs, 'Redis', sent);
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      const turn = new Promise<never>((_, reject) => setImmediate(reject, error));
      return Promise.race([sent, turn]);
    }
  }

  #make(): Client {
    const { address, name, clock } = this.options;
    const client = makeClient({
      address,
      name,
      clock,
      onReady: () => {
        if (client !== this.#client) return;
        this.#downSince = undefined;
        this.#readyTimes += 1;
        this.#onFirst?.();
      },
      onError: (error) => {
        if (client === this.#client) this.#fail(error);
      },
    });
    return client;
  }

  #open(): void {
    this.#downSince = this.options.clock.elapsed();
    this.#client.connect();
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#downSince ??= this.options.clock.elapsed();
    if (this.#onFirst === undefined) this.options.onError(error, 'keeping a connection to Redis');
    // A server that is slow is tried again, until the attempt's own deadline.
    else if (error instanceof DeadlineError || error instanceof ConnectionTimeoutError)
      this.#slowness = error;
    else this.#onFirst(error);
  }

  /** A connection that is cut off within its handshake would wait for the server's answers for minutes. */
  #reopenIfStuck(): void {
    if (this.options.clock.elapsed() - (this.#downSince ?? Infinity) > STUCK_MS) this.reopen();
  }
}

/** It is silent, or it was demoted, which a connection to it may outlast. */
const isOfWrongServer = (error: unknown): boolean =>
  error instanceof DeadlineError || (error instanceof Error && error.message.startsWith('READONLY'));
