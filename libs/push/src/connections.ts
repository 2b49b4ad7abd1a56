import type { Hub } from './hub.js';
import type { ConnectionId } from './lease.js';
import type { TransportName } from './transport.js';

/** One open stream, as an operator sees it. */
export interface OpenConnection {
  readonly id: ConnectionId;
  readonly transport: TransportName;
  /** Which app and build, as the client says; `unknown` if it does not. */
  readonly client: string;
  readonly userId: string | undefined;
  readonly tokenId: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
}

/** How long a client waits before it opens its next stream when an operator ended the last one, milliseconds. */
const COME_BACK_MS = 1000;

/** The open streams of this replica, for operators. */
export class Connections {
  constructor(private readonly hub: Hub) {}

  /** All of them, the newest first. */
  list(): OpenConnection[] {
    return [...this.hub.all()]
      .map(({ id, transport, client, principal, openedAt }) => ({
        id,
        transport: transport.name,
        client,
        userId: principal.userId,
        tokenId: principal.tokenId,
        openedAt,
      }))
      .sort((a, b) => b.openedAt - a.openedAt || (a.id < b.id ? -1 : 1));
  }

  /** Ends one as a drain does: its client is told to open the next. False: there is no such stream on this replica. */
  end(id: ConnectionId): boolean {
    const connection = this.hub.get(id);
    connection?.drain(COME_BACK_MS);
    return connection !== undefined;
  }
}
