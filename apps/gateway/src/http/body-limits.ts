import { SetMetadata } from '@nestjs/common';

const KIB = 1024;

/** Bytes of a body, uncompressed, as a route may take them; most take 256 KiB. */
export const bodyLimits = { events: 5 * KIB * KIB, published: 2 * KIB * KIB, others: 256 * KIB } as const;
export type BodyLimit = keyof typeof bodyLimits;

export const BODY_LIMIT = 'crossfade:body-limit';
/** Gives a route a limit of its own. */
export const TakesBody = (limit: BodyLimit) => SetMetadata(BODY_LIMIT, limit);
