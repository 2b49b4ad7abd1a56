import type { NestApplicationOptions } from '@nestjs/common';
import type { Request } from 'express';

type CorsDelegate = Extract<NonNullable<NestApplicationOptions['cors']>, (...args: never) => unknown>;

/** What client libraries call from pages of any origin. Without credentials, so an open answer gives nothing away. */
const OPEN =
  /^\/api\/v[12]\/(events(\/submit|\/by-ref\/[^/]+\/user-description|\/session\/heartbeat)?|projects\/config|projects\/[^/]+\/events)\/?$/i;
const EXPOSED = [
  'X-Exceptionless-ConfigVersion',
  'X-Crossfade-Accepted',
  'X-Crossfade-Dropped',
  'X-RateLimit-Remaining',
  'Retry-After',
];
const EXPOSED_TO_APPS = [...EXPOSED, 'X-RateLimit-Limit', 'X-RateLimit-Reset', 'Link', 'X-Result-Count'];

export const isForClientLibraries = (path: string): boolean => OPEN.test(path);

/** Which pages of other origins may call. Tokens are headers: no cookie is involved. */
export function cors(origins: readonly string[]): CorsDelegate {
  return (request: Request, answer) => {
    const isOpen = isForClientLibraries(request.path);
    answer(null, {
      origin: isOpen ? '*' : [...origins],
      methods: ['GET', 'POST', 'DELETE'],
      allowedHeaders: ['Authorization', 'Content-Type', 'Last-Event-ID', 'X-Exceptionless-Client'],
      exposedHeaders: isOpen ? EXPOSED : EXPOSED_TO_APPS,
      maxAge: 600,
      optionsSuccessStatus: 204,
    });
  };
}
