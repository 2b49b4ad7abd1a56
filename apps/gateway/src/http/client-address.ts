import type { IncomingMessage } from 'node:http';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Request } from 'express';
import { isIn, readAddress, readNetwork, type Address } from '../parsing/address.js';
import type { Settings } from '../process/settings.js';

type Asked = Pick<IncomingMessage, 'headers' | 'socket'>;

/**
 * The one reader of a request's client address. It starts with the peer. While the address is a trusted proxy's, the next
 * one is what that proxy wrote into `X-Forwarded-For`, from the right; anyone may have written what stands further left.
 * Where a trusted proxy wrote no address, its clients count as the proxy itself: a client that can make it do so shares
 * no budget with other proxies' clients, and cannot choose an address.
 */
export class ClientAddress {
  readonly #trusts: (address: Address | undefined, hops: number) => boolean;
  /** Remembered, since the socket may be closed later. */
  readonly #known = new WeakMap<Asked, string | undefined>();
  #hasWarned = false;

  constructor(
    trust: Settings['TRUST_PROXY'],
    private readonly warn: (sentence: string) => void,
  ) {
    const networks = Array.isArray(trust) ? trust.map(readNetwork).filter((one) => one !== undefined) : [];
    this.#trusts =
      typeof trust === 'number'
        ? (_address, hops) => hops < trust
        : (address) => address !== undefined && networks.some((network) => isIn(address, network));
  }

  /** The address in canonical form, without port or zone; undefined if the socket was already closed. */
  of(request: Asked): string | undefined {
    if (!this.#known.has(request)) this.#known.set(request, this.#read(request)?.toString());
    return this.#known.get(request);
  }

  /** Whether the peer is a trusted proxy. */
  trustsPeer({ socket }: Pick<IncomingMessage, 'socket'>): boolean {
    return this.#trusts(peerOf(socket), 0);
  }

  #read({ headers, socket }: Asked): Address | undefined {
    let address = peerOf(socket);
    let hops = 0;
    for (const written of fromTheRight(headers['x-forwarded-for'])) {
      if (!this.#trusts(address, hops)) break;
      const next = readAddress(written);
      if (next === undefined) {
        this.#warnOnce(socket.remoteAddress);
        break;
      }
      address = next;
      hops += 1;
    }
    return address;
  }

  /** The warning does not repeat the header: a client may have sent it. */
  #warnOnce(peer = 'somewhere'): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.warn(
      `X-Forwarded-For from ${peer} has no address where a trusted proxy should have written one. Such requests count as the proxy's own, and share its budgets. A proxy should write its client's address, with or without a port: 192.0.2.1, 192.0.2.1:443, [2001:db8::1]:443.`,
    );
  }
}

/** Makes Express' `request.ip`, and so NestJS' `@Ip()`, return the same address: no route has another reader. */
export function serveAddress(app: NestExpressApplication, addresses: ClientAddress): void {
  const express = app.getHttpAdapter().getInstance() as unknown as { request: object };
  Object.defineProperty(express.request, 'ip', {
    get(this: Request) {
      return addresses.of(this);
    },
  });
}

const peerOf = ({ remoteAddress }: Asked['socket']): Address | undefined =>
  remoteAddress === undefined ? undefined : readAddress(remoteAddress);

/** The members of a list, the last one first, without empty ones (RFC 9110, 5.6.1.2). */
const fromTheRight = (header: string | string[] | undefined): string[] =>
  [header ?? '']
    .flat()
    .join(',')
    .split(',')
    .filter((member) => member.trim() !== '')
    .reverse();
