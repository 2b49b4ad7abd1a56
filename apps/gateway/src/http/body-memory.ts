import { ProblemException } from './problem.js';

export interface BodyMemoryLimits {
  /** Bodies of one address at a time. */
  readonly bodiesPerAddress: number;
  /** Bytes of all bodies at a time; one address may use half of them. */
  readonly bytes: number;
}

const RETRY_AFTER_SECONDS = 1;

/** A body in memory, until the response to its request is sent. */
export interface HeldBody {
  /** Counts received bytes. @throws ProblemException 429 or 503 if they exceed a limit */
  grow(bytes: number): void;
  release(): void;
}

interface Held {
  bodies: number;
  bytes: number;
}

/** Limits the memory that bodies take: in all, and by address, so that one address cannot take all of it. */
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
        `Your address is sending ${own.bodies} bodies at once, which is the limit; wait for responses before you send more.`,
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
        'Too many large requests are being read at the moment; try again.',
        undefined,
        RETRY_AFTER_SECONDS,
      );
    if (own.bytes > bytes / 2)
      throw new ProblemException(
        429,
        'Your address is sending too much at once; wait for responses before you send more.',
        undefined,
        RETRY_AFTER_SECONDS,
      );
  }
}
