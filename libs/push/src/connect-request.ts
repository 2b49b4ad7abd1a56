import type { ConnectionId } from './lease.js';
import type { Cursor } from './log.js';
import type { TransportName } from './transport.js';

/** What a client asks for, read from its request by either transport. */
export interface ConnectRequest {
  readonly transport: TransportName;
  readonly credential: string | undefined;
  readonly origin: string | undefined;
  readonly host: string | undefined;
  /** Whose bad credentials count together. */
  readonly address: string;
  /** The cursor that it brings; undefined: a fresh stream. */
  readonly cursor: Cursor | undefined;
  /** Which app and build, as the client says; for operators. */
  readonly client: string;
  /** Whether `Resync` makes it refetch. Any other client refetches when its stream has ended. */
  readonly knowsResync: boolean;
  /** Only these types, or all. Control messages always come. */
  readonly types: ReadonlySet<string> | undefined;
  readonly replaces: ConnectionId | undefined;
  /** The client gives up on an error status, so a stream that ends at once tells it to come back. */
  readonly wantsStream: boolean;
}
