import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAllowedOrigin, isOwnOrigin } from './origin.js';

describe('the origin of a page', () => {
  it.each([
    ['http://app.example', 'app.example'],
    ['http://app.example', 'app.example:80'],
    ['https://app.example', 'app.example'],
    ['https://app.example', 'app.example:443'],
    ['https://app.example:443', 'app.example'],
    ['https://App.Example', 'APP.EXAMPLE:443'],
    ['http://app.example:8080', 'app.example:8080'],
    ['http://app.example', 'app.example:'],
    ['http://[::1]:7110', '[::1]:7110'],
    ['http://[::1]', '[0:0:0:0:0:0:0:1]:80'],
    ['http://127.0.0.1:7110', '127.0.0.1:7110'],
    ['https://xn--bcher-kva.example', 'XN--BCHER-KVA.example'],
  ])('%s is that of %s', (origin, host) => {
    expect(isOwnOrigin(origin, host)).toBe(true);
  });

  it.each([
    ['http://app.example', undefined],
    ['http://app.example', ''],
    ['http://app.example', 'other.example'],
    ['http://app.example', 'app.example:443'],
    ['https://app.example', 'app.example:80'],
    ['https://app.example:8443', 'app.example'],
    ['http://app.example:8080', 'app.example:8081'],
    ['http://app.example', 'evil.app.example'],
    ['http://app.example.evil.example', 'app.example'],
    ['http://app.example', 'evil@app.example'],
    ['http://app.example', 'app.example/evil'],
    ['http://app.example', 'app.example#evil'],
    ['http://app.example', '['],
    ['http://app.example', 'app.example:99999'],
    ['null', 'null'],
    ['file://app.example', 'app.example'],
    ['chrome-extension://app', 'app'],
    ['app.example', 'app.example'],
    ['http://', ''],
    ['', ''],
  ])('%s is not that of %s', (origin, host) => {
    expect(isOwnOrigin(origin, host)).toBe(false);
  });

  const name = fc.domain();
  const port = fc.integer({ min: 1, max: 65535 });
  const scheme = fc.constantFrom(['http', 80] as const, ['https', 443] as const);

  it('is that of a host by name and effective port, and by nothing else', () => {
    fc.assert(
      fc.property(scheme, name, fc.option(port), name, fc.option(port), (by, own, at, host, to) => {
        const [its, usual] = by;
        const write = (text: string, number: number | null) => (number === null ? text : `${text}:${number}`);
        const isOwn = own.toLowerCase() === host.toLowerCase() && (at ?? usual) === (to ?? usual);
        expect(isOwnOrigin(`${its}://${write(own, at)}`, write(host, to))).toBe(isOwn);
        expect(isOwnOrigin(`${its}://${write(own, at)}`, write(own.toUpperCase(), at ?? usual))).toBe(true);
      }),
    );
  });

  it('is allowed by scheme, name and effective port', () => {
    const allowed = ['https://app.example.com', 'http://LOCAL.example:80', 'capacitor://localhost'];
    for (const origin of [
      ...['https://app.example.com', 'https://APP.example.com:443', 'http://local.example'],
      'capacitor://localhost',
    ])
      expect(isAllowedOrigin(origin, allowed), origin).toBe(true);
    for (const origin of [
      ...['http://app.example.com', 'https://app.example.com:444', 'https://app.example.com.evil.example'],
      ...['null', '', 'capacitor://other', 'https://', 'app.example.com'],
    ])
      expect(isAllowedOrigin(origin, allowed), origin).toBe(false);
    expect(isAllowedOrigin('null', [])).toBe(false);
  });
});
