import { SetMetadata } from '@nestjs/common';

/** Bytes of a body, uncompressed, as a route may take them; most take 256 KiB. */
export const bodyLimits = {
  events: 5 * 1024 * 1024,
  published: 2 * 1024 * 1024,
  others: 256 * 1024,
} as const;
export type BodyLimit = keyof typeof bodyLimits;

export const BODY_LIMIT = 'crossfade:body-limit';
/** Gives a route a limit of its own. */
export const TakesBody = (limit: BodyLimit) => SetMetadata(BODY_LIMIT, limit);

export const TEXT_BODY = 'crossfade:text-body';
/**
 * A route that client libraries call takes a body as `text/plain` or of no type, too, as old browsers send it. JSON in it is
 * read as JSON; anything else is handed over as the text that it is.
 */
export const TakesText = () => SetMetadata(TEXT_BODY, true);
