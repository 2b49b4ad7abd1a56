import { describe, expect, it } from 'vitest';
import { networkOf } from './throttle.js';

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

  it('is one for all whose address is not known', () => {
    expect(networkOf(undefined)).toBe('unknown');
    expect(networkOf('not an address')).toBe('unknown');
  });
});
