import type { LogRecord } from './log.js';
import { ownerOf, type Principal } from './principal.js';

/**
 * Whether a record tells of a change that this stream's client made itself, and asked not to hear of. The owner counts as
 * well: nobody can keep a message from somebody else's stream by its id.
 */
export const isOwnChange = (
  { madeBy }: Pick<LogRecord, 'madeBy'>,
  stream: { readonly id: string; readonly principal: Principal },
): boolean => madeBy?.connection === stream.id && madeBy.owner === ownerOf(stream.principal);
