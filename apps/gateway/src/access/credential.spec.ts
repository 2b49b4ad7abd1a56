import type { Request } from 'express';
import { describe, expect, it } from 'vitest';
import { credentialOf } from './credential.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const read = (authorization: string | undefined, query: string, orOld: boolean) => {
  const request = { headers: { authorization }, originalUrl: `/api/v2/events${query}` };
  const found = credentialOf(request as unknown as Request, orOld);
  return found === undefined ? undefined : `${found.isOld ? 'old ' : ''}${found.token}`;
};

describe('the token of a request', () => {
  const cases: readonly (readonly [string | undefined, string, string | undefined, string | undefined])[] = [
    // Header, query, what is found where the ways of old count, and where they do not.
    ['Bearer abc', '', 'abc', 'abc'],
    ['bearer   abc', '', 'abc', 'abc'],
    ['BEARER abc', '?access_token=other', 'abc', 'abc'],
    ['Bearer', '', undefined, undefined],
    ['Bearer a b', '', undefined, undefined],
    [`Bearer ${'x'.repeat(501)}`, '', undefined, undefined],
    ['Token abc', '', 'old abc', undefined],
    ['token abc', '', 'old abc', undefined],
    [`Basic ${base64('client:abc')}`, '', 'old abc', undefined],
    [`basic ${base64('Client:abc')}`, '', 'old abc', undefined],
    [`Basic ${base64('client:a:c')}`, '', 'old a:c', undefined],
    [`Basic ${base64('abc:')}`, '', 'old abc', undefined],
    [`Basic ${base64('abc:X-OAuth-Basic')}`, '', 'old abc', undefined],
    [`Basic ${base64('abc')}`, '', 'old abc', undefined],
    // A person's password is never read.
    [`Basic ${base64('member@example.com:secret')}`, '?access_token=abc', undefined, undefined],
    [`Basic ${base64('client:')}`, '', undefined, undefined],
    ['Basic !!!', '', undefined, undefined],
    [undefined, '?access_token=abc', 'old abc', undefined],
    [undefined, '?v=1&api_key=abc', 'old abc', undefined],
    [undefined, '?apikey=abc', 'old abc', undefined],
    [undefined, '?ApiKey=abc', 'old abc', undefined],
    [undefined, '?apikey=third&api_key=second&access_token=first', 'old first', undefined],
    [undefined, '?access_token=&apikey=abc', 'old abc', undefined],
    [undefined, '?access_token=a%20b', undefined, undefined],
    ['Digest username="x"', '?access_token=abc', 'old abc', undefined],
    [undefined, '', undefined, undefined],
  ];
  it.each(cases)('of %s and "%s" is %s, or %s', (header, query, orOld, plain) => {
    expect(read(header, query, true)).toBe(orOld);
    expect(read(header, query, false)).toBe(plain);
  });
});
