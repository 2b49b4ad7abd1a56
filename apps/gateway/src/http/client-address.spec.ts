import type { Socket } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Settings } from '../process/settings.js';
import { networkOf } from '../parsing/address.js';
import { ClientAddress } from './client-address.js';

type Trust = Settings['TRUST_PROXY'];

const asked = (header: string | undefined, peer: string | undefined = '10.0.0.1') => ({
  headers: header === undefined ? {} : { 'x-forwarded-for': header },
  socket: { remoteAddress: peer } as Socket,
});

function reader(trust: Trust) {
  const warnings: string[] = [];
  const addresses = new ClientAddress(trust, (sentence) => warnings.push(sentence));
  return { warnings, addresses, of: (header?: string, peer?: string) => addresses.of(asked(header, peer)) };
}

const INSIDE = ['10.0.0.0/8', '2001:db8:ffff::/48'];
const PEER = '10.0.0.1';

/** What TRUST_PROXY says, what the header says, and who it was; and whether that is worth a warning. */
const ROWS: readonly (readonly [Trust, string | undefined, string, 'warned'?])[] = [
  [false, '203.0.113.9', PEER],
  [1, undefined, PEER],
  [1, '', PEER],
  [1, ' , ,', PEER],
  [1, '203.0.113.9', '203.0.113.9'],
  [1, '203.0.113.9:5001', '203.0.113.9'],
  [1, '"[2001:db8::1]:443"', '2001:db8::1'],
  // What a client has sent itself stands further left.
  [1, '192.0.2.7, 203.0.113.9:5001', '203.0.113.9'],
  [1, 'junk,,"[,unknown, 203.0.113.9:5001', '203.0.113.9'],
  [1, '203.0.113.9, ,', '203.0.113.9'],
  [2, '192.0.2.7, 203.0.113.9:5001, 10.0.0.2', '203.0.113.9'],
  [2, '203.0.113.9', '203.0.113.9'],
  // The second proxy is not there, and a client has written what it should have.
  [2, 'junk, 203.0.113.9', '203.0.113.9', 'warned'],
  [1, 'unknown', PEER, 'warned'],
  [1, '203.0.113.9, unknown', PEER, 'warned'],
  [2, '203.0.113.9, unknown, 10.0.0.2', '10.0.0.2', 'warned'],
  [INSIDE, '203.0.113.9:5001', '203.0.113.9'],
  [INSIDE, '203.0.113.9:5001, 10.0.0.2:80', '203.0.113.9'],
  [INSIDE, '203.0.113.9, [2001:DB8:FFFF::1]:80, ::ffff:10.0.0.2', '203.0.113.9'],
  [INSIDE, 'junk, 192.0.2.7, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
  [INSIDE, '203.0.113.9, unknown, 10.0.0.2', '10.0.0.2', 'warned'],
  [INSIDE, '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  [['192.0.2.1'], '203.0.113.9', PEER],
  [['192.0.2.1'], 'junk', PEER],
];

describe('whoever asks', () => {
  it.each(ROWS.map(([trust, header, address, warned]) => ({ trust, header, address, warned })))(
    'trusting $trust, told $header, is $address',
    ({ trust, header, address, warned }) => {
      const { of, warnings } = reader(trust);
      expect(of(header)).toBe(address);
      expect(warnings).toHaveLength(warned === undefined ? 0 : 1);
    },
  );

  it('is a peer in its canonical form', () => {
    const { of } = reader(false);
    expect(of(undefined, '::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(of(undefined, 'fe80::1%eth0')).toBe('fe80::1');
  });

  it('stays the same when the socket is gone', () => {
    const request = asked('203.0.113.9');
    const { addresses } = reader(INSIDE);
    expect(addresses.of(request)).toBe('203.0.113.9');
    request.socket = {} as Socket;
    expect(addresses.of(request)).toBe('203.0.113.9');
    expect(addresses.of({ ...request })).toBeUndefined();
  });

  it('is warned of once, without what was sent', () => {
    const { of, warnings } = reader(1);
    for (const header of ['<script>', 'secret-token', 'unknown']) of(header);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(PEER);
    expect(warnings[0]).not.toMatch(/script|secret|unknown/);
  });

  it('is never what it has written itself, whatever that is, if each trusted proxy adds an address', () => {
    const piece = fc.constantFrom(
      '[',
      ']',
      '"',
      ':',
      ', ',
      ',,',
      '203.0.113.9',
      '10.0.0.9',
      '::1',
      'unknown',
    );
    const own = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
    const real = fc.oneof(fc.ipV4(), fc.ipV6()).filter((address) => !/^10\./.test(networkOf(address)));
    const form = fc.constantFrom(
      (address: string) => (address.includes(':') ? `[${address}]:5001` : `${address}:5001`),
      (address: string) => `"${address}"`,
      (address: string) => address,
    );
    const proxies = fc.array(fc.constantFrom('10.0.0.2', '10.0.0.3:80'), { maxLength: 3 });
    fc.assert(
      fc.property(own, real, form, proxies, (written, address, write, between) => {
        const header = [written, write(address), ...between].join(', ');
        for (const trust of [between.length + 1, ['10.0.0.0/8']] satisfies Trust[]) {
          const { of, warnings } = reader(trust);
          expect(networkOf(of(header))).toBe(networkOf(address));
          expect(warnings).toEqual([]);
        }
      }),
    );
  });

  it('is always somebody', () => {
    const trusts = fc.constantFrom<Trust>(false, 1, 2, 10, INSIDE);
    fc.assert(
      fc.property(trusts, fc.string(), (trust, header) => networkOf(reader(trust).of(header)) !== 'unknown'),
    );
  });
});
