import type { RefusalReason } from '@crossfade/protocol';
import type { Environment } from './environment.js';

/** Why a request for a stream is not admitted. The protocol's table says which status or close code that is. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** A sentence for the reader of the response. */
  readonly detail: string;
  /** Set for the reasons after which a client should come back. */
  readonly retryAfterMs?: number;
}

/** One of the outcomes of admission and of registration. */
export interface Refused {
  readonly outcome: 'refused';
  readonly refusal: Refusal;
}

/** After how long a refused client comes back, where nothing says more. */
const RETRY_MS = 5000;

export const refused = (refusal: Refusal): Refused => ({ outcome: 'refused', refusal });

/** Makes refusals after which clients come back, each at a moment of its own. */
export class RetryLater {
  constructor(private readonly environment: Pick<Environment, 'random'>) {}

  /** A limit is reached for another `milliseconds`. */
  limit(detail: string, milliseconds = RETRY_MS): Refused {
    return refused({ reason: 'limit', detail, retryAfterMs: this.#jittered(milliseconds) });
  }

  unavailable(detail: string): Refused {
    return refused({ reason: 'unavailable', detail, retryAfterMs: this.#jittered(RETRY_MS) });
  }

  /** A refusal that was remembered: each of an owner's tabs gets its own time, though all are refused for one reason. */
  again(refusal: Refusal): Refused {
    const { retryAfterMs = 0 } = refusal;
    const spread = this.environment.random() * RETRY_MS;
    return refused({ ...refusal, retryAfterMs: Math.round(retryAfterMs + spread) });
  }

  /** Between a time and its double, so that clients that were refused together do not come back together. */
  #jittered(milliseconds: number): number {
    return Math.round(milliseconds * (1 + this.environment.random()));
  }
}
