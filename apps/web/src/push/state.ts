import { backoff, stretch } from './backoff';

/** The state of the app's stream. One value, changed by `next` only. */
export type PushState =
  | { readonly name: 'idle' }
  | { readonly name: 'connecting'; readonly attempt: number }
  | {
      readonly name: 'open';
      readonly attempt: number;
      readonly sinceMs: number;
      readonly keepAliveMs: number;
    }
  | { readonly name: 'waiting'; readonly attempt: number; readonly delayMs: number }
  /** The tab is hidden. */
  | { readonly name: 'paused' }
  /** Push is switched off on the server. The next attempt is minutes away. */
  | { readonly name: 'off'; readonly delayMs: number }
  | { readonly name: 'refused'; readonly why: 'unauthorized' | 'forbidden' };

export type PushEvent =
  | { readonly type: 'start' }
  | { readonly type: 'connected'; readonly keepAliveMs: number }
  /** The request got no stream. `status` is missing if the network or the content type was at fault. */
  | { readonly type: 'failed'; readonly status?: number; readonly retryAfterMs?: number }
  /** The stream ended, broke off or fell silent. */
  | { readonly type: 'ended' }
  /** The server asks to reconnect after a delay. */
  | { readonly type: 'moved'; readonly delayMs: number }
  | { readonly type: 'revoked' }
  /** The wait is over. */
  | { readonly type: 'due' }
  | { readonly type: 'hidden' }
  | { readonly type: 'shown' }
  | { readonly type: 'stop' };

/** After a stream that lasted this long, the backoff starts over. */
const STABLE_MS = 10_000;
const PROBE_MS = 5 * 60_000;

/**
 * The state after an event. Pure. `now` is in milliseconds of a clock that never steps back. An event that means nothing in
 * a state returns that state.
 */
export function next(state: PushState, event: PushEvent, now: number, random: number): PushState {
  switch (event.type) {
    case 'start':
      return { name: 'connecting', attempt: 0 };
    case 'stop':
      return { name: 'idle' };
    case 'due':
      if (state.name === 'waiting') return { name: 'connecting', attempt: state.attempt };
      return state.name === 'off' ? { name: 'connecting', attempt: 0 } : state;
    case 'connected':
      if (state.name !== 'connecting') return state;
      return { name: 'open', attempt: state.attempt, sinceMs: now, keepAliveMs: event.keepAliveMs };
    case 'failed':
      return state.name === 'connecting' ? failed(state.attempt, event, random) : state;
    case 'ended':
      return ended(state, now, random);
    case 'moved':
      return state.name === 'open' ? { name: 'waiting', attempt: 0, delayMs: event.delayMs } : state;
    case 'revoked':
      return { name: 'refused', why: 'unauthorized' };
    case 'hidden':
      return isLive(state) ? { name: 'paused' } : state;
    case 'shown':
      return state.name === 'paused' ? { name: 'connecting', attempt: 0 } : state;
  }
}

function isLive({ name }: PushState): boolean {
  return name === 'connecting' || name === 'open' || name === 'waiting';
}

function ended(state: PushState, now: number, random: number): PushState {
  if (state.name === 'connecting') return wait(state.attempt, random);
  if (state.name !== 'open') return state;
  return wait(now - state.sinceMs >= STABLE_MS ? 0 : state.attempt, random);
}

function failed(
  attempt: number,
  { status, retryAfterMs }: { readonly status?: number; readonly retryAfterMs?: number },
  random: number,
): PushState {
  switch (status) {
    case 401:
      return { name: 'refused', why: 'unauthorized' };
    case 403:
      return { name: 'refused', why: 'forbidden' };
    case 404:
      return { name: 'off', delayMs: stretch(PROBE_MS, random) };
    default:
      if (retryAfterMs === undefined) return wait(attempt, random);
      return { name: 'waiting', attempt: attempt + 1, delayMs: stretch(retryAfterMs, random) };
  }
}

function wait(attempt: number, random: number): PushState {
  return { name: 'waiting', attempt: attempt + 1, delayMs: backoff(attempt, random) };
}
