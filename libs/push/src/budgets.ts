import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Clock } from './clock.js';
import type { Refusal } from './admission.js';
import { GoodCredentials } from './good-credentials.js';
import type { OwnerId } from './principal.js';

export interface BudgetLimits {
  /** Streams that one owner may open in a minute, beside how many it may hold. */
  readonly connectsPerMinute: number;
  /** Bad credentials that one address may send in a minute. */
  readonly failuresPerMinute: number;
  /** Admissions that are being authenticated. */
  readonly admissionsAtOnce: number;
  /** Admissions that wait for their turn. */
  readonly admissionsWaiting: number;
}

const MINUTE_SECONDS = 60;
/** How long an admission waits for its turn. A client gives up on headers after ten seconds. */
const WAIT_MS = 5000;
/** Refusals that are remembered; the oldest is forgotten first. */
const REMEMBERED = 10_000;

/** What keeps a crowd at the door from reaching the database: counted and remembered in this process. */
export class Budgets {
  readonly #connects: RateLimiterMemory;
  readonly #failures: RateLimiterMemory;
  /** Whatever is sent from their address, these are asked about. */
  readonly good: GoodCredentials;
  readonly #turns: ReturnType<typeof pLimit>;
  /** By a hash of the credential: a refusal that is still true, and whose it is. */
  readonly #refused = new Map<string, { refusal: Refusal; until: number; owner: OwnerId | undefined }>();

  constructor(
    private readonly limits: BudgetLimits,
    private readonly clock: Clock,
  ) {
    this.#connects = new RateLimiterMemory({ points: limits.connectsPerMinute, duration: MINUTE_SECONDS });
    this.#failures = new RateLimiterMemory({ points: limits.failuresPerMinute, duration: MINUTE_SECONDS });
    this.good = new GoodCredentials(clock);
    this.#turns = pLimit(limits.admissionsAtOnce);
  }

  /** Runs when it is its turn; `full`: too many wait already, or its turn came too late. */
  async inTurn<T>(admit: () => Promise<T>): Promise<T | 'full'> {
    if (this.#turns.pendingCount >= this.limits.admissionsWaiting) return 'full';
    const asked = this.clock.elapsed();
    return this.#turns(async () => (this.clock.elapsed() - asked >= WAIT_MS ? 'full' : admit()));
  }

  /** Counts a stream of this owner. Milliseconds to wait if it has opened too many; undefined: go on. */
  async countConnect(owner: OwnerId): Promise<number | undefined> {
    return consume(this.#connects, owner);
  }

  /** Counts a credential from this address that was refused. */
  async countFailure(address: string): Promise<void> {
    await consume(this.#failures, address);
  }

  /** Milliseconds that an address must wait which has sent too many bad credentials; undefined: it may try. */
  async failuresOf(address: string): Promise<number | undefined> {
    const state = await this.#failures.get(address);
    return state !== null && state.consumedPoints >= this.limits.failuresPerMinute
      ? withinWindow(state)
      : undefined;
  }

  /** A refusal of this credential that still holds, with what is left of its time. */
  refusalOf(credential: string): Refusal | undefined {
    if (this.#refused.size === 0) return undefined;
    const key = hash(credential);
    const remembered = this.#refused.get(key);
    if (remembered === undefined) return undefined;
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

  /** A place of this owner is free: what was said before is no longer true. */
  forget(owner: OwnerId): void {
    for (const [key, remembered] of this.#refused) if (remembered.owner === owner) this.#refused.delete(key);
  }
}

async function consume(limiter: RateLimiterMemory, key: string): Promise<number | undefined> {
  try {
    await limiter.consume(key);
    return undefined;
  } catch (refused) {
    if (refused instanceof RateLimiterRes) return withinWindow(refused);
    throw refused;
  }
}

/** The limiter ends a window on time, but computes what is left of it from the wall's: a clock that steps back makes it long. */
const withinWindow = ({ msBeforeNext }: RateLimiterRes): number =>
  Math.min(Math.max(msBeforeNext, 0), MINUTE_SECONDS * 1000);

/** Tokens are not kept in memory, not even refused ones. */
const hash = (credential: string): string => createHash('sha256').update(credential).digest('base64url');
