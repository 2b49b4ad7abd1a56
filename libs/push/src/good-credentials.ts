import { createHmac, randomBytes } from 'node:crypto';
import { tenthsOf, type Clock, type Tenths } from './clock.js';

/** For how long, and how many. The one that was used the longest ago is dropped first. */
const REMEMBERED_TENTHS = 24 * 3600 * 10;
const REMEMBERED = 100_000;

/**
 * Credentials that were good when they were last sent, so that bad ones from the same address do not lock them out.
 * It holds no credential, only thirty bits of a keyed hash of each. A bad one that happens to have the same bits is asked
 * about, as it would be without the lock.
 */
export class GoodCredentials {
  readonly #key = randomBytes(32);
  /** By hash, when it was last good; in that order. */
  readonly #lastGood = new Map<number, Tenths>();

  constructor(
    private readonly clock: Clock,
    private readonly most = REMEMBERED,
  ) {}

  add(credential: string): void {
    const hash = this.#hash(credential);
    this.#lastGood.delete(hash);
    const [oldest] = this.#lastGood.keys();
    if (this.#lastGood.size >= this.most && oldest !== undefined) this.#lastGood.delete(oldest);
    this.#lastGood.set(hash, tenthsOf(this.clock));
  }

  /** It turned out to be bad. */
  delete(credential: string): void {
    this.#lastGood.delete(this.#hash(credential));
  }

  has(credential: string): boolean {
    const lastGood = this.#lastGood.get(this.#hash(credential));
    return lastGood !== undefined && tenthsOf(this.clock) - lastGood < REMEMBERED_TENTHS;
  }

  get size(): number {
    return this.#lastGood.size;
  }

  #hash(credential: string): number {
    return createHmac('sha256', this.#key).update(credential).digest().readUInt32LE() >>> 2;
  }
}
