import { refusalTable } from './refusal.js';

/**
 * How a stream ends, one row for each reason.
 * - `control`: the control message that is sent first, if the socket takes it.
 * - `webSocket`: the close code. On SSE, the response ends.
 * - `comeBack`: whether the client should open its next stream.
 */
export const closeTable = {
  /** The token was removed while the stream was open. */
  revoked: { control: 'Revoked', webSocket: 4401, comeBack: false },
  /** A round of reauthorization found the token expired or no longer valid. */
  unauthorized: { control: 'Revoked', webSocket: 4401, comeBack: false },
  /** The replica shuts down, or an operator ended the stream. `Reconnect` says when to come back. */
  draining: { control: 'Reconnect', webSocket: 1012, comeBack: true },
  /** Another stream of the same owner named this one in `replaces`. That stream is open already. */
  replaced: { control: undefined, webSocket: 1000, comeBack: false },
  /** The socket took no byte for the stall time, or its peer acknowledged none. */
  slow: { control: undefined, webSocket: 1013, comeBack: true },
  /** Its rights could not be confirmed for too long. Its position stayed where it was. */
  unconfirmed: { control: undefined, webSocket: 1013, comeBack: true },
  /** Messages were lost to a client that does not know `Resync`. The end makes it come back and refetch. */
  stale: { control: undefined, webSocket: 1013, comeBack: true },
  /** The WebSocket client sent more than it may. */
  flooding: { control: undefined, webSocket: 1008, comeBack: false },
  /** Its lease counts no more: others took it while the replica was stopped, or handing it back failed. */
  lease_lost: { control: undefined, webSocket: 1011, comeBack: true },
  /** A record has an effect that this replica does not know, and the authenticator did not answer. */
  internal_error: { control: undefined, webSocket: 1011, comeBack: true },
} as const;
export type CloseReason = keyof typeof closeTable;

/** A WebSocket ends with this code for many reasons outside the tables, so that it decides nothing. */
const NORMAL_CLOSURE = 1000;
const rows = [...Object.values(closeTable), ...Object.values(refusalTable)];

/**
 * Whether a client should open its next stream after this WebSocket close code. A code of the tables decides; any other
 * from 4400 to 4499 is a refusal of a newer gateway: no. Whatever else ended the socket: yes.
 */
export function shouldComeBack(code: number): boolean {
  const row = code === NORMAL_CLOSURE ? undefined : rows.find(({ webSocket }) => webSocket === code);
  return row?.comeBack ?? (code < 4400 || code > 4499);
}
