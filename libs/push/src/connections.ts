import * as z from 'zod/mini';
import { audiencesOf } from './audience.js';
import type { Clock } from './clock.js';
import type { Connection } from './connection.js';
import type { History } from './catch-up.js';
import type { Hub } from './hub.js';

/** How far the records are counted that a stream has not been handed. */
const COUNTED = 1000;

/** One open stream, as an operator sees it. */
export const openConnection = z.object({
  id: z.string(),
  /** The name of the replica that it is open on. */
  replica: z.string(),
  transport: z.enum(['sse', 'websocket']),
  /** Which app and build, as the client says; `unknown` if it does not. */
  client: z.string(),
  userId: z.optional(z.string()),
  tokenId: z.string(),
  /** Milliseconds since 1970. */
  openedAt: z.number(),
  ageSeconds: z.number(),
  /** `behind`: it reads on from the window. */
  state: z.enum(['live', 'behind']),
  /** Messages that wait for its socket. */
  waiting: z.number(),
  /** Bytes that were written and that the kernel has not taken. */
  pendingBytes: z.number(),
  /** Where the stream is. */
  cursor: z.string(),
  /** Records for it that it has not been handed, 1000 at most. */
  lag: z.number(),
});
export type OpenConnection = z.output<typeof openConnection>;

/** Which streams an operator asks for; each absent part: any. */
export const connectionFilter = z.object({
  /** The id of a user, or of a token that is no person's. */
  owner: z.optional(z.string()),
  /** The name of a client, with its build or without. */
  client: z.optional(z.string()),
  transport: z.optional(z.enum(['sse', 'websocket'])),
  replica: z.optional(z.string()),
});
export type ConnectionFilter = z.output<typeof connectionFilter>;

/** How long a client waits before it opens its next stream when an operator ended the last one, milliseconds. */
const COME_BACK_MS = 1000;

/** The open streams of this replica, for operators. */
export class Connections {
  constructor(
    private readonly hub: Hub,
    private readonly history: History,
    private readonly replica: string,
    private readonly clock: Clock,
  ) {}

  /** The newest first. */
  list(filter: ConnectionFilter = {}): OpenConnection[] {
    return this.newest(filter, Infinity).connections;
  }

  /** The newest ones, `most` at most, and how many there are. */
  newest(filter: ConnectionFilter, most: number): { connections: OpenConnection[]; total: number } {
    if (filter.replica !== undefined && filter.replica !== this.replica) return { connections: [], total: 0 };
    const wanted = [...this.hub.all()].filter((connection) => isWanted(connection, filter)).sort(newestFirst);
    return {
      connections: wanted.slice(0, most).map((connection) => this.#view(connection)),
      total: wanted.length,
    };
  }

  /** Ends one as a drain does: its client is told to open the next. False: there is no such stream on this replica. */
  end(id: string): boolean {
    const connection = this.hub.get(id);
    connection?.drain(COME_BACK_MS);
    return connection !== undefined;
  }

  #view(connection: Connection): OpenConnection {
    const { id, transport, client, principal, openedAt, isLive, waiting, position } = connection;
    return {
      id,
      replica: this.replica,
      transport: transport.name,
      client,
      ...(principal.userId === undefined ? {} : { userId: principal.userId }),
      tokenId: principal.tokenId,
      openedAt,
      ageSeconds: Math.max(0, Math.round((this.clock.now() - openedAt) / 1000)),
      state: isLive ? 'live' : 'behind',
      waiting,
      pendingBytes: transport.pendingBytes,
      cursor: position.cursor,
      lag: this.#lagOf(connection),
    };
  }

  #lagOf(connection: Connection): number {
    if (connection.isLive) return connection.waiting;
    const missed = this.history.window.after(connection.position.offset, audiencesOf(connection.principal));
    return missed.take(COUNTED).reduce((count) => count + 1, 0);
  }
}

const isWanted = (
  { principal: { userId, tokenId }, client: own, transport: { name } }: Connection,
  { owner, client, transport }: ConnectionFilter,
): boolean =>
  (owner === undefined || (userId ?? tokenId) === owner) &&
  (client === undefined || own === client || own.startsWith(`${client}/`)) &&
  (transport === undefined || name === transport);

export const newestFirst = (
  a: Pick<OpenConnection, 'openedAt' | 'id'>,
  b: Pick<OpenConnection, 'openedAt' | 'id'>,
): number => b.openedAt - a.openedAt || (a.id < b.id ? -1 : 1);
