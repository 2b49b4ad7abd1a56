import { ProblemException } from './problem.js';

export interface BodyMemoryLimits {
  /** Bodies of one address at once. */
  readonly bodiesPerAddress: number;
  /** Bytes of all bodies at once; one address may have half of them. */
  readonly bytes: number;
}

const RETRY_AFTER_SECONDS = 1;

/** A body that is in memory: until its request is answered. */
export interface HeldBody {
  /** Counts bytes that came. @throws ProblemException 429 or 503 if there is no room for them */
  grow(bytes: number): void;
  release(): void;
}

interface Held {
  bodies: number;
  bytes: number;
}

/** How much of other people's text is in memory at once: by address, so that one cannot take all of it, and in all. */
export class BodyMemory {
  readonly #of = new Map<string, Held>();
  #bytes = 0;

  constructor(private readonly limits: BodyMemoryLimits) {}

  /** @throws ProblemException 429 if the address sends too many already */
  hold(address: string): HeldBody {
    const own = this.#of.get(address) ?? { bodies: 0, bytes: 0 };
    if (own.bodies >= this.limits.bodiesPerAddress) {
      throw new ProblemException(
        429,
        `Your address is sending ${own.bodies} bodies at once, the limit; wait for answers before you send more.`,
        undefined,
        RETRY_AFTER_SECONDS,
      );
    }
    own.bodies += 1;
    this.#of.set(address, own);
    let held = 0;
    return {
      grow: (bytes) => {
        held += bytes;
        own.bytes += bytes;
        this.#bytes += bytes;
        this.#refuseTooMuch(own);
      },
      release: () => {
        own.bodies -= 1;
        own.bytes -= held;
        this.#bytes -= held;
        if (own.bodies === 0) this.#of.delete(address);
      },
    };
  }

  #refuseTooMuch(own: Held): void {
    const { bytes } = this.limits;
    if (this.#bytes > bytes)
      throw new ProblemException(
        503,
        'Too many large requests are being read just now; try again.',
        undefined,
        RETRY_AFTER_SECONDS,
      );
    if (own.bytes > bytes / 2)
      throw new ProblemException(
        429,
        'Your address is sending too much at once; wait for answers before you send more.',
        undefined,
        RETRY_AFTER_SECONDS,
      );
  }
}
