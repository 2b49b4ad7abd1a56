/**
 * How a stream ends, one row a reason.
 * - `farewell`: the control message that is said first, if the socket takes it.
 * - `webSocket`: the close code; on SSE the response ends.
 * - `comeBack`: whether the client may open the next stream.
 */
export const closeTable = {
  revoked: { farewell: 'Revoked', webSocket: 4401, comeBack: false },
  unauthorized: { farewell: 'Revoked', webSocket: 4401, comeBack: false },
  draining: { farewell: 'Reconnect', webSocket: 1012, comeBack: true },
  replaced: { farewell: undefined, webSocket: 1000, comeBack: false },
  slow: { farewell: undefined, webSocket: 1013, comeBack: true },
  unconfirmed: { farewell: undefined, webSocket: 1013, comeBack: true },
  stale: { farewell: undefined, webSocket: 1013, comeBack: true },
  flooding: { farewell: undefined, webSocket: 1008, comeBack: false },
  lease_lost: { farewell: undefined, webSocket: 1011, comeBack: true },
  internal_error: { farewell: undefined, webSocket: 1011, comeBack: true },
} as const;
export type CloseReason = keyof typeof closeTable;

/**
 * How a stream is refused, one row a reason.
 * - `http`: the status, as problem+json; on an upgrade, before it.
 * - `webSocket`: the close code for a client that offers the subprotocol `crossfade.1`.
 * - `old`: for a client that does not: `accept` sends the close code after accepting, `status` the HTTP status. Old
 *   clients come back every second after any status, so a token that will never do is told by a code.
 */
export const refusalTable = {
  disabled: { http: 404, webSocket: undefined, old: 'status' },
  websocket_off: { http: 426, webSocket: undefined, old: 'status' },
  unauthorized: { http: 401, webSocket: 4401, old: 'accept' },
  forbidden: { http: 403, webSocket: 4403, old: 'accept' },
  origin: { http: 403, webSocket: undefined, old: 'status' },
  limit: { http: 429, webSocket: 4290, old: 'status' },
  unavailable: { http: 503, webSocket: 4503, old: 'status' },
} as const;
export type RefusalReason = keyof typeof refusalTable;

/** The reason text of a WebSocket close that refuses a stream with a time to wait. */
export const encodeRetryAfter = (milliseconds: number): string =>
  JSON.stringify({ retry_after_ms: milliseconds });
