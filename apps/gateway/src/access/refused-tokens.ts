import { hashToken } from './tokens.js';

const MOST = 10_000;
const REMEMBERED_MS = 30_000;

/**
 * Tokens that were refused a moment ago, by hash: asked again, they cost no query. One that is unknown, revoked or expired
 * does not become good, and a new one is known to nobody before it is stored; the time bounds what is changed by hand.
 */
export class RefusedTokens {
  /** Until when, on the process' own clock; the oldest is forgotten first. */
  readonly #until = new Map<string, number>();

  has(token: string): boolean {
    if (this.#until.size === 0) return false;
    const hash = hashToken(token);
    const until = this.#until.get(hash);
    if (until === undefined) return false;
    if (until > performance.now()) return true;
    this.#until.delete(hash);
    return false;
  }

  remember(token: string): void {
    const [oldest] = this.#until.keys();
    if (this.#until.size >= MOST && oldest !== undefined) this.#until.delete(oldest);
    this.#until.set(hashToken(token), performance.now() + REMEMBERED_MS);
  }
}
