import type { IncomingMessage } from 'node:http';
import proxyAddr from 'proxy-addr';
import type { Settings } from '../settings.js';
import { networkOf } from './throttle.js';

/** Who a request comes from, by the same rule as Express' `request.ip`, for requests that Express does not see. */
export function clientNetwork(trust: Settings['TRUST_PROXY']): (request: IncomingMessage) => string {
  const isTrusted =
    trust === false
      ? () => false
      : typeof trust === 'number'
        ? (_address: string, hops: number) => hops < trust
        : proxyAddr.compile(trust);
  return (request) => networkOf(proxyAddr(request, isTrusted));
}
