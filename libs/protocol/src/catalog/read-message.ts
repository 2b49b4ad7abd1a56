import { hasOwnEntry } from '../catalog-entry.js';
import type { Envelope } from '../envelope.js';
import { catalog, type MessageOf, type MessageType } from './catalog.js';

/** A message of the catalog. `type` tells which. */
export type Message = {
  [Type in MessageType]: { readonly type: Type; readonly message: MessageOf<Type> };
}[MessageType];

/** The catalog's message that an envelope carries; undefined if its type has no row of its own here, or it is malformed. */
export function readMessage({ type, message }: Envelope): Message | undefined {
  if (!hasOwnEntry(type, catalog)) return undefined;
  const parsed = catalog[type as MessageType].schema.safeParse(message);
  return parsed.success ? ({ type, message: parsed.data } as Message) : undefined;
}
