const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/** Full jitter: anything up to 1, 2, 4 … 30 seconds. `attempt` counts from 0, `random` is from 0 to 1. */
export function backoff(attempt: number, random: number): number {
  return Math.round(random * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 30)));
}

/** Lengthens a time that the server named by up to half, never shortens it, so that clients do not return all at once. */
export function stretch(milliseconds: number, random: number): number {
  return Math.round(milliseconds * (1 + random * 0.5));
}
