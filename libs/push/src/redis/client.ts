import type { Clock } from '../clock.js';
import type { RedisAddress } from './address.js';

/** How long a command may take, milliseconds, unless its caller says otherwise. */
export const COMMAND_MS = 2000;

/** What a client of a single server, of Sentinels and of a Cluster have in common. */
export interface Client {
  /** Whether all servers that it needs are connected. */
  readonly isReady: boolean;
  /** Whether a command with this key would be sent. */
  isReadyFor(key: string): boolean;
  /** Sends it now or rejects. It is sent once, unless the server said that it did not carry it out. */
  send(key: string, args: string[]): Promise<unknown>;
  /** Connects, and again whenever it is not connected, until it is destroyed. */
  connect(): void;
  /** Rejects what waits for an answer, and closes all sockets. */
  destroy(): void;
}

export interface ClientOptions {
  readonly address: RedisAddress;
  /** Names its connections in `CLIENT LIST`. */
  readonly name: string;
  readonly clock: Clock;
  /** Each time that `isReady` becomes true. */
  readonly onReady: () => void;
  /** A connection was lost, or could not be opened. */
  readonly onError: (error: unknown) => void;
}
