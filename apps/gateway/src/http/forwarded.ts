import type { IncomingMessage, Server } from 'node:http';
import type { ClientAddress } from './client-address.js';

/**
 * Says, once, that a proxy seems to be in front whose word is not taken: then all who come through it count as one
 * address, and share its budgets. What the header says is not repeated: anybody can send one.
 */
export function warnOfForwarded(
  server: Server,
  addresses: ClientAddress,
  warn: (sentence: string) => void,
): void {
  const look = (request: IncomingMessage): void => {
    const { headers, socket } = request;
    if (headers['x-forwarded-for'] === undefined && headers.forwarded === undefined) return;
    if (addresses.trustsPeer(request)) return;
    server.off('request', look);
    warn(
      `A request from ${socket.remoteAddress ?? 'somewhere'} came with a forwarded address, which is not believed: TRUST_PROXY does not name it. If that is your proxy, set it, or everyone behind it counts as one address.`,
    );
  };
  // Not to upgrades: to Node, whoever listens to one answers it.
  server.prependListener('request', look);
}
