import { gzipSync } from 'node:zlib';
import type { Choices } from '@crossfade/protocol/testing';

/** What one attacker does with one socket. */
export interface Attempt {
  /** Sent one after the other, with a pause between them. */
  readonly pieces: readonly Buffer[];
  /**
   * `read`: waits for a response, then disconnects. `leave`: disconnects at once. `reset`: resets the connection at once.
   * `half`: ends its side of the connection, and waits.
   */
  readonly ending: 'read' | 'leave' | 'reset' | 'half';
}

const TARGETS = [
  '/health/live',
  '/',
  '/next/',
  '/docs/openapi.json',
  '/api/v2/push',
  '/api/v2/push/settings',
  '/api/v2/users/me',
  '/api/v2/events',
  '/api/v2/auth/login',
  '/api/v2/push/messages',
  '/api/v2/stacks/00000000-0000-0000-0000-000000000000',
  '/api/v2/nothing',
] as const;
/** Bytes that no client sends on purpose. */
const BAD_TARGETS = [
  '//[',
  '//',
  '*',
  '',
  '%',
  '/%',
  '/%00',
  '/api/v2/push?access_token=%',
  '/api/v2/push?last_event_id=%00&types=,,,&replaces=%ff',
  'http://a:99999/api/v2/push',
  'http://[bad/',
  'http://:80/',
  '/../../etc/passwd',
  `/${'a'.repeat(8000)}`,
  '/api/v2/push/../push',
  '/\u0080\u00ff',
] as const;
const METHODS = ['GET', 'POST', 'HEAD', 'OPTIONS', 'DELETE', 'PUT', 'CONNECT', 'TRACE', 'BREW', ''] as const;
const HOSTS = ['127.0.0.1', '[', '[::1', '', 'a b', 'a:99999', '\u0000', '%', 'x'.repeat(4000)] as const;
const HEADERS = [
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__',
  'Expect: 100-continue',
  'Authorization: Bearer demo-storefront-token-0000000000000000',
  'Authorization: Bearer no-such-token',
  'Content-Type: application/json',
  'Content-Encoding: gzip',
  'Transfer-Encoding: chunked',
  'Content-Length: 2',
  'Origin: null',
  'X-Forwarded-For: 1, 2, [, unknown',
  'Cookie: a',
  'Range: bytes=0-0,-1,9-1',
  'Connection: close',
] as const;
const BAD_HEADERS = [
  'Upgrade: websocket\r\nConnection: Upgrade',
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 7\r\nSec-WebSocket-Key: short',
  'Upgrade: nonsense, websocket\r\nConnection: upgrade',
  'Expect: nonsense',
  'Authorization: Bearer \u00ff',
  'Content-Type: application/json; charset=nonsense',
  'Content-Encoding: br, gzip',
  'Transfer-Encoding: gzip, chunked',
  'Content-Length: 999999999999999999999',
  'Content-Length: -1',
  'Content-Length: 2\r\nContent-Length: 3',
  'Origin: http://[',
  'X-Forwarded-Proto: \u0001',
  'Last-Event-ID: \u00ff\u00fe',
  'If-None-Match: "',
  'Connection: keep-alive, close, upgrade',
  ' folded: header',
  'no-colon',
  `X-Long: ${'y'.repeat(6000)}`,
] as const;
const BODIES = [
  Buffer.alloc(0),
  Buffer.from('{}'),
  Buffer.from('[{"message":"fuzzed"}]'),
  Buffer.from('{"broken'),
  Buffer.from('5\r\n{"a":\r\n0\r\n\r\n'),
  Buffer.from('ffffffffffffffff\r\n'),
  Buffer.from('0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: smuggled\r\n\r\n'),
  gzipSync(Buffer.alloc(100_000)),
  Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff]),
  // Frames of a WebSocket client: a masked text, a ping, one with reserved bits, one of an absurd length.
  Buffer.from([0x81, 0x82, 1, 2, 3, 4, 0x60, 0x60, 0x89, 0x80, 0, 0, 0, 0]),
  Buffer.from([0xf1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
] as const;
const ENDINGS = ['read', 'read', 'leave', 'reset', 'reset', 'half'] as const;

/** A nearly valid request with a few mutations. Pure: the same choices make the same bytes. */
export function attempt(choices: Choices): Attempt {
  const count = choices.chance() < 0.1 ? 1 + choices.below(8) : 1;
  let bytes: Buffer = Buffer.concat(Array.from({ length: count }, () => request(choices)));
  const bends = choices.chance() < 0.6 ? 0 : 1 + choices.below(3);
  for (let bent = 0; bent < bends; bent += 1) bytes = bend(choices, bytes);
  return { pieces: split(choices, bytes), ending: choices.of(ENDINGS) };
}

function request(choices: Choices): Buffer {
  const target = choices.chance() < 0.2 ? choices.of(BAD_TARGETS) : choices.of(TARGETS);
  const method = choices.chance() < 0.85 ? choices.of(['GET', 'POST']) : choices.of(METHODS);
  const host = choices.chance() < 0.1 ? choices.of(HOSTS) : '127.0.0.1';
  const version = choices.chance() < 0.95 ? 'HTTP/1.1' : choices.of(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9', '']);
  const headers = Array.from({ length: choices.below(5) }, () =>
    choices.chance() < 0.1 ? choices.of(BAD_HEADERS) : choices.of(HEADERS),
  );
  const head = [`${method} ${target} ${version}`, `Host: ${host}`, ...headers, '', ''].join('\r\n');
  const body = choices.chance() < 0.6 ? choices.of(BODIES) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function bend(choices: Choices, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  const at = choices.below(bytes.length);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (choices.below(6)) {
    case 0: {
      const flipped = Buffer.from(bytes);
      flipped[at] = choices.below(256);
      return flipped;
    }
    case 1: {
      const noise = Buffer.from(Array.from({ length: 1 + choices.below(64) }, () => choices.below(256)));
      return Buffer.concat([before, noise, after]);
    }
    case 2:
      return Buffer.concat([before, after.subarray(1 + choices.below(32))]);
    case 3:
      return Buffer.concat([before, after.subarray(0, 200), after]);
    case 4:
      return before;
    default:
      return Buffer.from(bytes.toString('latin1').replaceAll('\r\n', choices.of(['\n', '\r'])), 'latin1');
  }
}

function split(choices: Choices, bytes: Buffer): Buffer[] {
  if (choices.chance() < 0.7) return [bytes];
  const at = choices.below(bytes.length + 1);
  return [bytes.subarray(0, at), bytes.subarray(at)];
}
