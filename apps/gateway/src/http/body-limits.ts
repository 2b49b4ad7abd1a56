import { SetMetadata } from '@nestjs/common';

/** Limits of a body's uncompressed bytes. Most routes take 256 KiB. */
export const bodyLimits = {
  events: 5 * 1024 * 1024,
  published: 2 * 1024 * 1024,
  others: 256 * 1024,
} as const;
export type BodyLimit = keyof typeof bodyLimits;

export const BODY_LIMIT = 'crossfade:body-limit';
/** Gives a route another limit. */
export const TakesBody = (limit: BodyLimit) => SetMetadata(BODY_LIMIT, limit);

export const TEXT_BODY = 'crossfade:text-body';
/**
 * Lets a route also take a body as `text/plain` or without a type, as old browsers send it. JSON in it is parsed; anything
 * else is passed on as text.
 */
export const TakesText = () => SetMetadata(TEXT_BODY, true);
