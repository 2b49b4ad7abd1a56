import type { NestApplicationOptions } from '@nestjs/common';
import { isAllowedOrigin } from '@crossfade/push';
import type { Request } from 'express';
import { isForClientLibraries } from './client-library-routes.js';

type CorsDelegate = Extract<NonNullable<NestApplicationOptions['cors']>, (...args: never) => unknown>;

const EXPOSED = [
  'X-Exceptionless-ConfigVersion',
  'X-Crossfade-Accepted',
  'X-Crossfade-Dropped',
  'X-RateLimit-Remaining',
  'Retry-After',
];
const EXPOSED_TO_APPS = [
  ...EXPOSED,
  'X-RateLimit-Limit',
  'X-RateLimit-Reset',
  'Link',
  'X-Result-Count',
  'X-Crossfade-Silent-Replicas',
];

/**
 * Decides which pages of other origins may call. Tokens are headers; there are no cookies. An allowed page may send any
 * header: which ones it sends depends on its browser and its libraries, and none of them gives it more rights.
 */
export function cors(origins: readonly string[]): CorsDelegate {
  return (request: Request, answer) => {
    const isOpen = isForClientLibraries(request);
    const { origin = '' } = request.headers;
    const mayCall = isOpen || isAllowedOrigin(origin, origins);
    answer(null, {
      origin: isOpen ? '*' : mayCall ? [origin] : [],
      methods: ['GET', 'POST', 'DELETE'],
      // Without a list, the headers that the browser asks for are allowed.
      ...(mayCall ? {} : { allowedHeaders: [] }),
      exposedHeaders: isOpen ? EXPOSED : EXPOSED_TO_APPS,
      maxAge: 600,
      optionsSuccessStatus: 204,
    });
  };
}
