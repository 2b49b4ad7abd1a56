import * as z from 'zod/mini';

/** One URL for both transports: with `Upgrade: websocket` the WebSocket gateway, else SSE. */
export const PUSH_PATH = '/api/v2/push';

/** What an app asks before it opens a WebSocket, which could not tell it why it is refused. */
export const PUSH_SETTINGS_PATH = '/api/v2/push/settings';

/** Query parameters of the endpoint. */
export const parameter = {
  token: 'access_token',
  cursor: 'last_event_id',
  /** The same, as the npm package event-source-polyfill adds it when it comes back. */
  polyfilledCursor: 'lastEventId',
  client: 'client',
  types: 'types',
  replaces: 'replaces',
  refusal: 'refusal',
} as const;

/** The WebSocket subprotocol. A close code tells a client that offers it why it is refused. */
export const SUBPROTOCOL = 'crossfade.1';

/** The largest inbound WebSocket message, bytes. Inbound messages are ignored. */
export const MAX_INBOUND_BYTES = 4096;

/** A client that hears nothing for this many keep-alive intervals reconnects. */
export const SILENCE_INTERVALS = 2.5;

/** The answer of `PUSH_SETTINGS_PATH`. `transport` is undefined while push is off. */
export const pushSettings = z.object({
  enabled: z.boolean(),
  transport: z.optional(z.enum(['sse', 'websocket'])),
  keep_alive_seconds: z.number(),
});
export type PushSettings = z.infer<typeof pushSettings>;
