import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Longer than any address with its zone and port. */
const MOST_CHARACTERS = 100;
const QUOTED = /^"([^"]*)"$/;
const BRACKETED = /^\[([^[\]]*)\]$/;
/** A port, an empty port, or an obfuscated one, as in RFC 7239. */
const WITH_PORT = /^(.+):(?:\d{1,5}|_[\w.-]+)?$/;

/**
 * Reads an address in any form in which proxies write one: with a port, in brackets, in quotes, with a zone, IPv4 inside
 * IPv6. Forms that only some programs accept (`1`, `0x7f.1`, `010.0.0.1`) are refused: two readers must not see two
 * different clients.
 */
export function readAddress(text: string): Address | undefined {
  if (text.length > MOST_CHARACTERS) return undefined;
  const bare = unwrap(text.trim(), QUOTED).trim();
  // First as it is: the end of an IPv6 address looks like a port.
  return readBare(bare) ?? readBare(unwrap(bare, WITH_PORT));
}

function readBare(text: string): Address | undefined {
  const inside = unwrap(text, BRACKETED);
  return isIP(inside) === 0 ? undefined : ipaddr.process(withoutZone(inside));
}

const withoutZone = (text: string): string => text.split('%', 1)[0] ?? text;

const unwrap = (text: string, pattern: RegExp): string => pattern.exec(text)?.[1] ?? text;

/** All addresses that begin with the same bits. */
export interface Network {
  readonly first: Address;
  readonly bits: number;
}

/** Reads an address, or a network such as `10.0.0.0/8`; undefined for a network of everybody. */
export function readNetwork(text: string): Network | undefined {
  const [, written = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? [];
  if (isIP(written) === 0) return undefined;
  const first = ipaddr.process(withoutZone(written));
  const all = first.kind() === 'ipv4' ? 32 : 128;
  // For IPv4 inside IPv6, only the IPv4 bits count.
  const before = written.includes(':') && all === 32 ? 96 : 0;
  const bits = length === undefined ? all : Number(length) - before;
  return bits >= 1 && bits <= all ? { first, bits } : undefined;
}

export const isIn = (address: Address, { first, bits }: Network): boolean =>
  address.kind() === first.kind() && address.match(first, bits);

/** Prefixes of translated IPv4 addresses; each client has an IPv6 address of its own. */
const TRANSLATED: readonly string[] = ['rfc6052', 'rfc6145'];

/**
 * The key under which a client without a token is counted: its IPv4 address, or its IPv6 /64, since one subscriber has a
 * whole /64. Clients whose address is not known count as one.
 */
export function networkOf(written: string | undefined): string {
  const address = written === undefined ? undefined : readAddress(written);
  if (address === undefined) return 'unknown';
  if (address.kind() === 'ipv4') return address.toString();
  if (TRANSLATED.includes(address.range()))
    return new ipaddr.IPv4(address.toByteArray().slice(12)).toString();
  return `${(address as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}
