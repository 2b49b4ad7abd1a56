import type { Tenths } from './clock.js';
import type { ConnectRequest } from './connect-request.js';
import type { ConnectionId } from './lease.js';
import type { Position } from './log.js';
import type { StreamTally } from './metrics.js';
import type { Principal } from './principal.js';
import type { Transport } from './transport.js';

/** What one connection begins with. */
export interface ConnectionInit extends Pick<ConnectRequest, 'client' | 'types' | 'knowsResync'> {
  readonly id: ConnectionId;
  readonly principal: Principal;
  readonly transport: Transport;
  /** Where it begins. */
  readonly position: Position;
  /** `behind`: what came after its position is in the window. */
  readonly begins: 'live' | 'behind';
  /** Where what it does is counted. */
  readonly tally: StreamTally;
  /** When its rights were last known. */
  readonly confirmedAt: Tenths;
}
