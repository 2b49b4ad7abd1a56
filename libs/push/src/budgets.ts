import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import type { Clock } from './clock.js';
import { GoodCredentials } from './good-credentials.js';
import type { Count, Limiter, MakeLimiter } from './limiter.js';
import type { OwnerId } from './principal.js';
import type { Refusal } from './refusal.js';

export interface BudgetLimits {
  /** Streams that one owner may open in a minute, beside how many it may hold. */
  readonly connectsPerMinute: number;
  /** Bad credentials that one address may send in a minute. */
  readonly failuresPerMinute: number;
  /** Admissions that are being authenticated. */
  readonly admissionsAtOnce: number;
  /** Admissions that wait for that. */
  readonly admissionsWaiting: number;
}

const MINUTE_SECONDS = 60;
/** How long an admission waits in the queue. A client gives up on headers after ten seconds. */
const WAIT_MS = 5000;
/** Refusals that are remembered. The oldest is dropped first. */
const REMEMBERED = 10_000;

/** Keeps a crowd of new streams from reaching the database. Counts where `limiter` does, and remembers in this process. */
export class Budgets {
  readonly #connects: Limiter;
  readonly #failures: Limiter;
  /** These are asked about, whatever else is sent from their address. */
  readonly good: GoodCredentials;
  readonly #queue: ReturnType<typeof pLimit>;
  /** By a hash of the credential: a refusal that still holds, and the owner whose limit it is about. */
  readonly #refused = new Map<string, { refusal: Refusal; until: number; owner: OwnerId | undefined }>();

  constructor(
    private readonly limits: BudgetLimits & { readonly limiter: MakeLimiter },
    private readonly clock: Clock,
  ) {
    const { limiter, connectsPerMinute, failuresPerMinute } = limits;
    this.#connects = limiter('connects', connectsPerMinute, MINUTE_SECONDS);
    this.#failures = limiter('failures', failuresPerMinute, MINUTE_SECONDS);
    this.good = new GoodCredentials(clock);
    this.#queue = pLimit(limits.admissionsAtOnce);
  }

  /** Runs an admission once few enough others run; undefined: too many wait already, or this one waited too long. */
  async queued<T>(admit: () => Promise<T>): Promise<T | undefined> {
    if (this.#queue.pendingCount >= this.limits.admissionsWaiting) return undefined;
    const since = this.clock.elapsed();
    return this.#queue(async () => (this.clock.elapsed() - since >= WAIT_MS ? undefined : admit()));
  }

  /** Counts a new stream of this owner. Returns the milliseconds to wait if it opened too many; undefined: go on. */
  async countConnect(owner: OwnerId): Promise<number | undefined> {
    return waitOf(await this.#connects.count(owner));
  }

  /** Counts a bad credential from this address. */
  async countFailure(address: string): Promise<void> {
    await this.#failures.count(address);
  }

  /** Milliseconds to wait for an address that has sent too many bad credentials; undefined: it may try. */
  async failuresOf(address: string): Promise<number | undefined> {
    return waitOf(await this.#failures.look(address));
  }

  /**
   * A refusal of this credential that still holds, with what is left of its time. `takesOver`: it asks to take a lease over,
   * so no refusal for want of one holds.
   */
  refusalOf(credential: string, takesOver = false): Refusal | undefined {
    if (this.#refused.size === 0) return undefined;
    const key = hash(credential);
    const remembered = this.#refused.get(key);
    if (remembered === undefined || (takesOver && remembered.owner !== undefined)) return undefined;
    const retryAfterMs = remembered.until - this.clock.elapsed();
    if (retryAfterMs > 0) return { ...remembered.refusal, retryAfterMs };
    this.#refused.delete(key);
    return undefined;
  }

  /** Answers the same credential from memory, for the time that the refusal names. */
  remember(credential: string, refusal: Refusal, owner?: OwnerId): void {
    if (refusal.retryAfterMs === undefined) return;
    const [oldest] = this.#refused.keys();
    if (this.#refused.size >= REMEMBERED && oldest !== undefined) this.#refused.delete(oldest);
    this.#refused.set(hash(credential), {
      refusal,
      until: this.clock.elapsed() + refusal.retryAfterMs,
      owner,
    });
  }

  /** This owner has released a lease: refusals for its limit no longer hold. */
  forget(owner: OwnerId): void {
    for (const [key, remembered] of this.#refused) if (remembered.owner === owner) this.#refused.delete(key);
  }
}

const waitOf = ({ fits, msBeforeNext }: Count): number | undefined => (fits ? undefined : msBeforeNext);

/** Tokens are not kept in memory, not even refused ones. */
const hash = (credential: string): string => createHash('sha256').update(credential).digest('base64url');
