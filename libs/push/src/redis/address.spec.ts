import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostsOf, readRedisAddress, type RedisAddress } from './address.js';

describe('an address', () => {
  it.each<[string, RedisAddress]>([
    ['redis://localhost', { kind: 'single', nodes: [{ host: 'localhost', port: 6379 }], tls: false }],
    ['redis://localhost/', { kind: 'single', nodes: [{ host: 'localhost', port: 6379 }], tls: false }],
    [
      'rediss://ada:p%40ss%3A@redis.example.com:6380/3',
      {
        kind: 'single',
        nodes: [{ host: 'redis.example.com', port: 6380 }],
        username: 'ada',
        password: 'p@ss:',
        database: 3,
        tls: true,
      },
    ],
    [
      'redis://:only@[2001:db8::7]',
      { kind: 'single', nodes: [{ host: '2001:db8::7', port: 6379 }], password: 'only', tls: false },
    ],
    [
      'redis+sentinel://one,two:26380,[::1]:5/main/2',
      {
        kind: 'sentinel',
        nodes: [
          { host: 'one', port: 26_379 },
          { host: 'two', port: 26_380 },
          { host: '::1', port: 5 },
        ],
        master: 'main',
        database: 2,
        tls: false,
      },
    ],
    [
      'rediss+cluster://u:p@one,two:7001',
      {
        kind: 'cluster',
        nodes: [
          { host: 'one', port: 6379 },
          { host: 'two', port: 7001 },
        ],
        username: 'u',
        password: 'p',
        tls: true,
      },
    ],
    [
      'redis://u:a/b?c#d@e@host',
      {
        kind: 'single',
        nodes: [{ host: 'host', port: 6379 }],
        username: 'u',
        password: 'a/b?c#d@e',
        tls: false,
      },
    ],
  ])('%s is read', (text, address) => {
    expect(readRedisAddress(text)).toEqual(address);
  });

  it.each([
    ['localhost:6379', 'must start with redis://'],
    ['http://localhost', 'must start with redis://'],
    ['redis+other://localhost', 'must start with redis://'],
    ['redis://', 'must name a host'],
    ['redis://:6379', 'must name a host'],
    ['redis://[::1', 'must name a host'],
    ['redis://[localhost]', 'must name a host'],
    ['redis://2001:db8::7', 'must name a host'],
    ['redis://a b', 'must name a host'],
    ['redis://host:99999', 'ports from 1 to 65535'],
    ['redis://host:0', 'ports from 1 to 65535'],
    ['redis://one,two', 'must name one host'],
    ['redis://one,', 'must name a host'],
    ['redis://host/one', 'number of a database'],
    ['redis://host/1/2', 'number of a database'],
    ['redis://host?db=1', 'neither a query'],
    ['redis://user@host', 'user:password'],
    ['redis://user:@host', 'user:password'],
    ['redis://u:100%@host', 'percent-encoded'],
    ['redis+sentinel://host', 'must name the master'],
    ['redis+sentinel://host/', 'must name the master'],
    ['redis+sentinel://host/my master', 'must name the master'],
    ['redis+sentinel://host/main/x', 'number of a database'],
    ['redis+cluster://host/1', 'only database 0'],
  ])('%s is refused with what it must be', (text, said) => {
    expect(readRedisAddress(text)).toEqual({ fault: expect.stringContaining(said) as string });
  });

  it('is shown without user and password', () => {
    const address = readRedisAddress('redis+cluster://u:p@one,[::1]:7') as RedisAddress;
    expect(hostsOf(address)).toBe('one:6379, [::1]:7');
  });
});

const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((text) => `[${text}]`),
);
const node = fc.tuple(host, fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }));

it('whatever it is, is read or refused, and no refusal repeats the password', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('@', ':', '/', '[', ']', ',', '%', '?'),
  );
  const scheme = fc.constantFrom('redis://', 'rediss://', 'redis+sentinel://', 'rediss+cluster://', '');
  fc.assert(
    fc.property(scheme, fc.array(piece, { maxLength: 8 }), (start, pieces) => {
      const read = readRedisAddress(start + pieces.join(''));
      if (!('fault' in read)) expect(read.nodes.length).toBeGreaterThan(0);
    }),
  );
  fc.assert(
    fc.property(scheme, fc.uuid(), fc.string(), (start, password, rest) => {
      const read = readRedisAddress(`${start}ada:${password}@${rest}`);
      if ('fault' in read) expect(read.fault).not.toContain(password);
      else expect(hostsOf(read)).not.toContain(password);
    }),
  );
});

it('has the user and password that were encoded into it', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }),
      fc.string({ minLength: 1 }),
      fc.array(node, { minLength: 1, maxLength: 3 }),
      (username, password, nodes) => {
        const hosts = nodes.map(([name, port]) => (port === undefined ? name : `${name}:${port}`));
        const login = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`;
        const read = readRedisAddress(`redis+cluster://${login}@${hosts.join(',')}`);
        expect(read).toMatchObject({ username, password });
        expect((read as RedisAddress).nodes).toHaveLength(nodes.length);
      },
    ),
  );
});
