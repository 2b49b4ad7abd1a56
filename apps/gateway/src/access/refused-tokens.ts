import { hashToken } from './tokens.js';

const MOST = 10_000;
const REMEMBERED_MS = 30_000;

/**
 * Hashes of tokens that were refused a moment ago, so that another attempt costs no query. An unknown, revoked or expired
 * token does not become valid, and nobody knows a new token before it is stored. The time limit is for rows that are
 * changed by hand.
 */
export class RefusedTokens {
  /** When each expires, on the monotonic clock. The oldest is forgotten first. */
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
