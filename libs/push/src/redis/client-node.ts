import { createClient } from '@redis/client';
import type { Clock } from '../clock.js';
import { withDeadline } from '../deadline.js';
import type { RedisAddress, RedisNode } from './address.js';

const CONNECT_MS = 3000;
/** How long a Sentinel or a node of a Cluster may take to say where the masters are, milliseconds. */
export const ASK_MS = 1000;
/** Between two attempts to connect: doubled from the first to the last, jittered. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;
/** How long a connection is silent before the kernel probes the server. */
const KEEP_ALIVE_MS = 10_000;

/** How long to wait before the next attempt to connect, milliseconds. */
export const retryMs = (retries: number): number =>
  Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(retries, 10)) * (0.5 + Math.random() / 2);

/** What every connection to a server of this address has in common. `name` is its name in `CLIENT LIST`. */
export function nodeOptions({ username, password, database, tls }: RedisAddress, name: string) {
  return {
    // RESP3 answers with other shapes.
    RESP: 2,
    name,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    database: database ?? 0,
    socket: {
      connectTimeout: CONNECT_MS,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      ...(tls ? { tls } : {}),
    },
    disableOfflineQueue: true,
    // Both send commands that a least-privilege user may not run.
    disableClientInfo: true,
    maintNotifications: 'disabled',
    // The client's own deadline of 5 s ends when a command is sent, so ours is in `RedisConnection`.
    commandOptions: { timeout: 0 },
  } as const;
}

export type NodeOptions = ReturnType<typeof nodeOptions>;

/** A client of one server. It connects by `retries`, or with `false` only once. */
export function nodeClient(
  { host, port }: RedisNode,
  options: Omit<NodeOptions, 'username' | 'password'>,
  retries: typeof retryMs | false,
) {
  return createClient({ ...options, socket: { ...options.socket, host, port, reconnectStrategy: retries } });
}

export type NodeClient = ReturnType<typeof nodeClient>;

/** Destroys a client for good: by itself, one that is just connecting would connect nevertheless, and stay so. */
export function destroy(client: NodeClient): void {
  client.on('connect', () => client.destroy());
  client.destroy();
}

/** Connects, sends one command, and closes the connection. @throws DeadlineError, Redis' error, or why it cannot connect */
export async function askOnce(
  node: RedisNode,
  options: Omit<NodeOptions, 'username' | 'password'>,
  clock: Clock,
  command: string[],
): Promise<unknown> {
  const client = nodeClient(node, options, false).on('error', () => undefined);
  const answer = client.connect().then(() => client.sendCommand(command));
  try {
    return await withDeadline(clock, ASK_MS, `${node.host}:${node.port}`, answer);
  } finally {
    destroy(client);
  }
}

/** Asks one after another. Resolves with the first answer. @throws what the last one failed with */
export async function firstAnswer<T>(asks: readonly (() => Promise<T>)[]): Promise<T> {
  let failure: unknown;
  for (const ask of asks) {
    try {
      return await ask();
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

interface Listeners {
  readonly onReady: () => void;
  readonly onError: (error: unknown) => void;
}

/** The client of a single server, or of one node of a Cluster. It connects again by itself. */
export class SingleClient {
  readonly #client: NodeClient;

  constructor(node: RedisNode, options: NodeOptions, { onReady, onError }: Listeners) {
    this.#client = nodeClient(node, options, retryMs).on('ready', onReady).on('error', onError);
  }

  get isReady(): boolean {
    return this.#client.isReady;
  }

  isReadyFor(): boolean {
    return this.#client.isReady;
  }

  send(_key: string, args: string[]): Promise<unknown> {
    return this.#client.sendCommand(args);
  }

  connect(): void {
    // It fails only when it is destroyed; each failed attempt is an `error`.
    this.#client.connect().catch(() => undefined);
  }

  destroy(): void {
    destroy(this.#client);
  }
}
