/**
 * How a request for a stream is refused, one row for each reason.
 * - `http`: the status, as problem+json. On an upgrade, it is the answer instead of 101.
 * - `webSocket`: the close code for a client that offers the subprotocol `crossfade.1`.
 * - `old`: what a client gets that does not offer it: `accept` sends the close code after accepting, `status` the HTTP
 *   status. Old clients come back every second after any status, so a code tells them of a token that will never do.
 * - `comeBack`: whether the client should try again. Where it is true, the refusal says after which time.
 */
export const refusalTable = {
  /** Push is switched off on this server. */
  disabled: { http: 404, webSocket: undefined, old: 'status', comeBack: false },
  /** There is no token, or it is bad, expired or revoked. */
  unauthorized: { http: 401, webSocket: 4401, old: 'accept', comeBack: false },
  /** The token lacks the right to open streams. */
  forbidden: { http: 403, webSocket: 4403, old: 'accept', comeBack: false },
  /** A page of another origin, which is not allowed. */
  origin: { http: 403, webSocket: undefined, old: 'status', comeBack: false },
  /** The owner, its tenant or the address has reached a limit. */
  limit: { http: 429, webSocket: 4290, old: 'status', comeBack: true },
  /** The replica drains, is too busy, or cannot check the token now. */
  unavailable: { http: 503, webSocket: 4503, old: 'status', comeBack: true },
} as const;
export type RefusalReason = keyof typeof refusalTable;

/** The reason text of a WebSocket close that refuses a stream and says when to come back. */
export const encodeRetryAfter = (milliseconds: number): string =>
  JSON.stringify({ retry_after_ms: milliseconds });
