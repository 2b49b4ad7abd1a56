import type { IncomingMessage, Server } from 'node:http';
import type { ClientAddress } from './client-address.js';

/**
 * Warns once if an untrusted proxy seems to be in front: then all its clients count as one address, and share its
 * budgets. The warning does not repeat the header: anybody can send one.
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
      `A request from ${socket.remoteAddress ?? 'somewhere'} has a forwarded address, which is ignored: TRUST_PROXY does not name the sender. If it is your proxy, set TRUST_PROXY, or everyone behind it counts as one address.`,
    );
  };
  // Not for upgrades: Node expects a listener of `upgrade` to respond.
  server.prependListener('request', look);
}
