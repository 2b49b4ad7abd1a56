import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainPath, readTarget } from './request-target.js';

const readable: readonly (readonly [target: string, path: string, query?: string, host?: string])[] = [
  ['/', '/'],
  ['/api/v2/push', '/api/v2/push'],
  ['/API/v2/Push/', '/API/v2/Push/'],
  ['//', '//'],
  ['//[', '//%5B'],
  // The query is nobody's but the reader's of the query.
  ['/a?b=%zz&c=%00&d=[\\]#e', '/a', '?b=%zz&c=%00&d=[\\]'],
  ['/a?b?c//d/', '/a', '?b?c//d/'],
  ['/a?', '/a', '?'],
  ['/a#b?c', '/a'],
  ['/#', '/'],
  // What need not be encoded is not; what must be stays, in its own letters.
  ['/%61pi/%7Euser/%2d', '/api/~user/-'],
  ['/a%2Fb/a%2fb', '/a%2Fb/a%2fb'],
  ['/a%5Cb/a\\b', '/a%5Cb/a%5Cb'],
  ['/%2541', '/%2541'],
  ['/%3f%23', '/%3f%23'],
  // What cannot stand in a path, as old clients send it.
  ['/a b\t"<>^`{|}[]', '/a%20b%09%22%3C%3E%5E%60%7B%7C%7D%5B%5D'],
  ['/\u00c3\u00a9\u00c2\u00a0', '/%C3%A9%C2%A0'],
  ["/a;b=c,d:e@f!$&'()*+", "/a;b=c,d:e@f!$&'()*+"],
  ['/...', '/...'],
  ['/.well-known/a..b', '/.well-known/a..b'],
  ['/..%2f..', '/..%2f..'],
  // Absolute, as proxies are asked.
  ['http://a.example/b?c', '/b', '?c', 'a.example'],
  ['HTTPS://A.example:443', '/', '', 'a.example'],
  ['http://a:8080?b', '/', '?b', 'a:8080'],
  ['http://[::1]:80/', '/', '', '[::1]'],
  ['ws://a:/b', '/b', '', 'a'],
  ['http://user:secret@a/b', '/b', '', 'a'],
];

const unreadable: readonly (readonly [kind: string, targets: readonly string[], says: RegExp])[] = [
  ['no path', ['', '*', '?a', '#a', 'a', 'a:443', 'a/b', 'mailto:a@b', 'urn:a', '\\a', ' /a'], /no path/],
  ['another protocol', ['ftp://a/b', 'file:///etc/passwd', 'javascript://a/b'], /no path/],
  [
    'a host that cannot be read',
    [
      ...[
        'http://a:99999/b',
        'http://:80/b',
        'http://[bad/b',
        'http://',
        'http:///b',
        'http://?a',
        'http://#',
      ],
      ...['https://a:80:90/b', 'http://%zz/', 'http://a b/', 'http://a\\b/c', 'ws://[::1/', 'http://a:-1/'],
    ],
    /host or a port/,
  ],
  [
    'what is not encoded',
    ['/%', '/%z', '/%zz', '/a%2', '/%%41', '/%ff', '/\u00e9', '/%ED%A0%80', '/%C3'],
    /"%"/,
  ],
  ['NUL', ['/%00', '/a%00b', '/api/v2/push%00'], /NUL/],
  ['dots', ['/.', '/..', '/a/../b', '/a/./b', '/%2e%2E/a', '/a/.%2e', 'http://a/..'], /"\." and "\.\."/],
];

describe('a target', () => {
  for (const [target, path, query = '', host] of readable) {
    it(`${JSON.stringify(target)} has the path ${path}`, () => {
      expect(readTarget(target)).toEqual({ path, query, ...(host === undefined ? {} : { host }) });
    });
  }

  it.each(unreadable)('is refused for %s, in a sentence', (_kind, targets, says) => {
    for (const target of targets) {
      const read = readTarget(target);
      expect('fault' in read ? read.fault : JSON.stringify(read), JSON.stringify(target)).toMatch(says);
    }
  });

  /** Bytes as Node gives them, most of them those that mean something. */
  const bytes = fc.string({
    unit: fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom('/', '%', '.', '?', '#', '\\', ':', '@', '[', '%2F', '%2e', '%41'),
      },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) },
    ),
    maxLength: 40,
  });
  const targets = fc.oneof(
    bytes,
    bytes.map((rest) => `/${rest}`),
    bytes.map((rest) => `http://${rest}`),
  );

  it('is read once and for all: what was read reads the same again, and so does every URL parser', () => {
    fc.assert(
      fc.property(targets, (target) => {
        const read = readTarget(target);
        if ('fault' in read) {
          expect(read.fault).toMatch(/^[A-Z].*\.$/);
          return;
        }
        const { path, query } = read;
        expect(readTarget(path + query)).toEqual({ path, query });
        expect(path).toMatch(/^\/[!$%&'()*+,\-./:;=@\w~]*$/);
        // Without a second slash in front, which would begin a host.
        expect(new URL(`http://x/x${path}`).pathname).toBe(`/x${path}`);
      }),
      { numRuns: 5000 },
    );
  });

  it('keeps what its segments mean, and the bytes of its query', () => {
    const segment = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/^\.\.?$|\0/.test(text));
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1 }), bytes, (segments, rest) => {
        const query = rest.replaceAll('#', '');
        const path = segments.map((text) => encodeURIComponent(text.toWellFormed())).join('/');
        const read = readTarget(`/${path}?${query}`);
        if ('fault' in read) throw new Error(read.fault);
        expect(read.query).toBe(`?${query}`);
        expect(read.path.split('/').slice(1).map(decodeURIComponent)).toEqual(
          segments.map((text) => text.toWellFormed()),
        );
      }),
    );
  });

  it('of any length costs time in proportion', () => {
    const timeOf = (length: number): number => {
      const targets = ['/', '%41', '/.', '%2e/', '\u00e9', '%', '/a?', 'http://a'].map((part) =>
        part.repeat(length),
      );
      const begun = performance.now();
      for (const target of targets) {
        const read = readTarget(target);
        if (!('fault' in read)) plainPath(read.path);
      }
      return performance.now() - begun;
    };
    timeOf(20_000);
    const [short, long] = [20_000, 80_000].map((length) => Math.min(...[1, 2, 3].map(() => timeOf(length))));
    expect(long).toBeLessThan(20 + 12 * (short ?? 0));
  });
});

describe('a plain path', () => {
  it.each([
    ['/', '/'],
    ['//', '/'],
    ['///a//b///', '/a/b'],
    ['/a/', '/a'],
    ['/A/%2F/', '/A/%2F'],
  ])('of %j is %j', (path, plain) => {
    expect(plainPath(path)).toBe(plain);
    expect(plainPath(plain)).toBe(plain);
  });
});
