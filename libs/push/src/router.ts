import { effect as effectSchema, type Audience, type Effect } from '@crossfade/protocol';
import type { LogRecord } from './log.js';

/** What a record means for connections. Read from its stamp; pure. */
export interface Route {
  readonly audience: readonly Audience[];
  /** `unknown`: a newer replica stamped it; those concerned must be reauthorized. */
  readonly effect: Effect | { readonly kind: 'unknown' } | undefined;
}

export function route(record: LogRecord): Route {
  if (record.effect === undefined) return { audience: record.audience, effect: undefined };
  const known = effectSchema.safeParse(record.effect);
  return { audience: record.audience, effect: known.success ? known.data : { kind: 'unknown' } };
}

/** Whether a record changes what this user or token may do. */
export function concerns({ effect, audience }: Route, who: { userId?: string; tokenId: string }): boolean {
  if (effect === undefined) return false;
  switch (effect.kind) {
    case 'membership':
      return effect.user_id === who.userId;
    case 'revocation':
      return effect.token_id === who.tokenId;
    case 'unknown':
      return audience.some((one) => one.kind !== 'user' || one.id === who.userId);
  }
}
