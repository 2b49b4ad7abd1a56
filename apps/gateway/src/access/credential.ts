import type { Request } from 'express';

/** The token of a request. */
export interface Credential {
  readonly token: string;
  /** It was sent in a way that only old client libraries use, and only for the token of a project. */
  readonly isOld: boolean;
}

/** Longer tokens are not ours, and are not worth hashing. */
const LONGEST_TOKEN = 500;

/** Query parameters, in order of precedence. */
const PARAMETERS = ['access_token', 'api_key', 'apikey'];

/** The token of a request; undefined if there is none that could be ours. `orOld`: also the ways of old client libraries. */
export function credentialOf(request: Request, orOld: boolean): Credential | undefined {
  const { authorization = '' } = request.headers;
  const space = authorization.indexOf(' ');
  const scheme = space === -1 ? authorization : authorization.slice(0, space);
  const rest = authorization.slice(scheme.length).trimStart();
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return of(rest, false);
    case 'token':
      return orOld ? of(rest, true) : undefined;
    case 'basic':
      return orOld ? of(tokenOfBasic(rest), true) : undefined;
    default:
      return orOld ? of(tokenOfQuery(request.originalUrl), true) : undefined;
  }
}

function of(token: string, isOld: boolean): Credential | undefined {
  const isOne = token !== '' && token.length <= LONGEST_TOKEN && !/\s/.test(token);
  return isOne ? { token, isOld } : undefined;
}

/** `client:TOKEN`, or the token as a user name without a password. */
function tokenOfBasic(encoded: string): string {
  const [user = '', ...rest] = Buffer.from(encoded, 'base64').toString().split(':');
  const password = rest.join(':');
  if (user.toLowerCase() === 'client') return password;
  return password === '' || password.toLowerCase() === 'x-oauth-basic' ? user : '';
}

function tokenOfQuery(target: string): string {
  const [, query = ''] = target.split('?');
  const given = [...new URLSearchParams(query)].map(([name, value]) => [name.toLowerCase(), value] as const);
  return (
    PARAMETERS.map((name) => given.find((one) => one[0] === name && one[1] !== '')?.[1]).find(Boolean) ?? ''
  );
}
