/**
 * The life of a connection:
 *
 *     open ──drain──▶ draining
 *      │ │                │
 *      │ └──suspend──▶ suspended
 *      │                  │
 *      └──close──────▶ closing ──disconnect──▶ closed
 *
 * A draining connection may be suspended, too. `close` leads to `closing` from each of the three, and `disconnect` to
 * `closed` from anywhere.
 *
 * - `open`: it is handed what is for it.
 * - `draining`: its client was told to open the next stream. It goes on until the client has, or its time is over.
 * - `suspended`: its rights could not be confirmed for too long. It is handed nothing more, and waits for its end.
 * - `closing`: its last frames are written, and the socket has a second to take them.
 * - `closed`: the socket is gone.
 */
export type ConnectionState = 'open' | 'draining' | 'suspended' | 'closing' | 'closed';

export type ConnectionEvent = 'drain' | 'suspend' | 'close' | 'disconnect';

const transitions: {
  readonly [Event in ConnectionEvent]: { readonly [From in ConnectionState]?: ConnectionState };
} = {
  drain: { open: 'draining' },
  suspend: { open: 'suspended', draining: 'suspended' },
  close: { open: 'closing', draining: 'closing', suspended: 'closing' },
  disconnect: { open: 'closed', draining: 'closed', suspended: 'closed', closing: 'closed' },
};

/** The state after an event; undefined: the event means nothing in this state. */
export const next = (state: ConnectionState, event: ConnectionEvent): ConnectionState | undefined =>
  transitions[event][state];

/** Whether it is handed messages. */
export const isOpen = (state: ConnectionState): boolean => state === 'open' || state === 'draining';

/** Whether it has not begun to end. */
export const isHere = (state: ConnectionState): boolean => isOpen(state) || state === 'suspended';
