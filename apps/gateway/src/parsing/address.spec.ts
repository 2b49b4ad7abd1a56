import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isIn, networkOf, readAddress, readNetwork } from './address.js';

/** As proxies write them, and what is meant. */
const READABLE: Readonly<Record<string, string>> = {
  '203.0.113.9': '203.0.113.9',
  // Azure's Application Gateway, and IIS.
  '203.0.113.9:5001': '203.0.113.9',
  '203.0.113.9:': '203.0.113.9',
  '203.0.113.9:_hidden': '203.0.113.9',
  ' 203.0.113.9\t': '203.0.113.9',
  '"203.0.113.9"': '203.0.113.9',
  '"203.0.113.9:5001"': '203.0.113.9',
  '[203.0.113.9]:5001': '203.0.113.9',
  '2001:db8::1': '2001:db8::1',
  '2001:0DB8:0000::00AB': '2001:db8::ab',
  '[2001:db8::1]': '2001:db8::1',
  // Amazon's load balancer, when it is told to keep the port.
  '[2001:DB8::1]:443': '2001:db8::1',
  '"[2001:db8::1]:443"': '2001:db8::1',
  '" [2001:db8::1] "': '2001:db8::1',
  '2001:db8:1:2:3:4:5:6:5001': '2001:db8:1:2:3:4:5:6',
  'fe80::1%eth0': 'fe80::1',
  '[fe80::1%25en0.100]:443': 'fe80::1',
  '::ffff:192.0.2.1': '192.0.2.1',
  '[::FFFF:C000:0201]:80': '192.0.2.1',
  '::ffff:192.0.2.1:80': '192.0.2.1',
};

/** What says nothing, or one thing to one program and another to the next. */
const UNREADABLE = [
  '',
  ' ',
  'unknown',
  '-',
  '_hidden',
  'unix:',
  'localhost',
  'proxy.example.com:443',
  'for=203.0.113.9',
  '203.0.113.9/32',
  '203.0.113.9 203.0.113.10',
  '203.0.113.9:5001:5002',
  '203.0.113.9:http',
  '203.0.113.9:123456',
  '203.0.113.256',
  '010.0.0.1',
  '0x7f.0.0.1',
  '1',
  '127.1',
  '2130706433',
  '"203.0.113.9',
  "'203.0.113.9'",
  '""203.0.113.9""',
  '[2001:db8::1',
  '2001:db8::1]',
  '[[2001:db8::1]]',
  '["2001:db8::1"]',
  '[]:443',
  ':443',
  '2001:db8::1::2',
  '２０３.0.113.9',
  'fe80::1%',
  '%eth0',
  `${'['.repeat(8000)}`,
  `fe80::1%${'a'.repeat(8000)}`,
  `${':_a'.repeat(5000)}!`,
];

describe('an address', () => {
  it.each(Object.entries(READABLE))('written as %j is %s', (text, address) => {
    expect(readAddress(text)?.toString()).toBe(address);
  });

  it.each(UNREADABLE.map((text) => [text]))('is not %j', (text) => {
    expect(readAddress(text)).toBeUndefined();
    expect(networkOf(text)).toBe('unknown');
  });

  const addresses = fc.oneof(fc.ipV4(), fc.ipV6());
  it('is the same in every form', () => {
    const port = fc.option(fc.integer({ min: 0, max: 65535 }), { nil: undefined });
    const form = fc.record({
      port,
      quoted: fc.boolean(),
      bracketed: fc.boolean(),
      capitals: fc.boolean(),
      zone: fc.boolean(),
      spaces: fc.constantFrom('', ' ', '\t  '),
    });
    fc.assert(
      fc.property(addresses, form, (address, { port, quoted, bracketed, capitals, zone, spaces }) => {
        const isSix = address.includes(':');
        let text = capitals ? address.toUpperCase() : address;
        if (isSix && zone) text += '%eth0';
        if (bracketed || (isSix && port !== undefined)) text = `[${text}]`;
        if (port !== undefined) text += `:${port}`;
        if (quoted) text = `"${text}"`;
        const read = readAddress(spaces + text + spaces);
        expect(read?.toString()).toBe(readAddress(address)?.toString());
        expect(read).toBeDefined();
        // What was read is read again as the same.
        expect(readAddress(read?.toString() ?? '')?.toString()).toBe(read?.toString());
      }),
    );
  });

  it('is read from any text without a fault, in no more than a moment', () => {
    const piece = fc.constantFrom('[', ']', '"', ':', '%', '.', ',', '_', ' ', '::ffff:', '203.0.113.9', 'f');
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    );
    fc.assert(fc.property(text, (one) => typeof networkOf(one) === 'string'));
  });
});

describe('the network of an address', () => {
  it('is the address itself in IPv4, however it is written', () => {
    expect(networkOf('192.0.2.1')).toBe('192.0.2.1');
    expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
  });

  it('is the first half in IPv6, of which a subscriber has all the rest', () => {
    expect(networkOf('2001:db8::1')).toBe('2001:db8:0:0::/64');
    expect(networkOf('2001:db8::ffff:1')).toBe(networkOf('2001:db8::1'));
    expect(networkOf('2001:db8:0:1::1')).not.toBe(networkOf('2001:db8::1'));
  });

  it('is the address of IPv4 that a network has translated, and not one for all of them', () => {
    expect(networkOf('64:ff9b::192.0.2.1')).toBe('192.0.2.1');
    expect(networkOf('[64:ff9b::c000:202]:443')).toBe('192.0.2.2');
    expect(networkOf('::ffff:0:192.0.2.1')).toBe('192.0.2.1');
  });

  it('is one for all whose address is not known', () => {
    expect(networkOf(undefined)).toBe('unknown');
    expect(networkOf('not an address')).toBe('unknown');
  });
});

describe('a network in the settings', () => {
  it.each([
    ['10.0.0.0/8', '10.200.0.1', true],
    ['10.1.2.3/8', '10.200.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['10.0.0.0/8', '64:ff9b::10.0.0.1', false],
    ['::ffff:10.0.0.0/104', '10.200.0.1', true],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['2001:DB8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['::1', '::1', true],
    ['::1', '127.0.0.1', false],
    ['fe80::1%eth0', 'fe80::1%eth1', true],
  ])('%s: %s is in it: %s', (network, address, isThere) => {
    const [read, asked] = [readNetwork(network), readAddress(address)];
    expect(read !== undefined && asked !== undefined && isIn(asked, read)).toBe(isThere);
  });

  it.each([
    '0.0.0.0/0',
    '::/0',
    '::ffff:0:0/96',
    '::ffff:0:0/20',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10/8',
    '1',
    '',
  ])('is not %j', (text) => {
    expect(readNetwork(text)).toBeUndefined();
  });
});
