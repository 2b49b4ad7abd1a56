import { ApiClient, sampleToken } from '@crossfade/test-hosts';

const SENDERS = 6;
/** How many kinds of errors: few, so that requests wait for each other's stacks. */
const KINDS = 4;
/** How long a client waits for a response. */
const ANSWER_MS = 30_000;

/** Senders that post one event after the other until they are stopped. Every event is unique. */
export class IngestLoad {
  readonly accepted: string[] = [];
  /** How often each other status came, or each error without a status. */
  readonly refused: Record<string, number> = {};
  readonly missesRetryAfter: string[] = [];
  #isStopped = false;
  readonly #senders: Promise<unknown>;
  readonly #client: ApiClient;

  constructor(url: string) {
    this.#client = new ApiClient(url, sampleToken.storefront);
    this.#senders = Promise.all(Array.from({ length: SENDERS }, (_, index) => this.#send(index)));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#senders;
  }

  async #send(sender: number): Promise<void> {
    for (let number = 0; !this.#isStopped; number += 1) {
      const reference = `${sender}-${number}-${crypto.randomUUID()}`;
      const event = {
        type: 'error',
        message: `Outage ${'abcd'[number % KINDS]}`,
        reference_id: reference,
      };
      const status = await this.#post(event);
      if (status === '202') this.accepted.push(reference);
      else {
        this.refused[status] = (this.refused[status] ?? 0) + 1;
        // Retries as a client would, but sooner: there should be load when the database comes back.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async #post(event: object): Promise<string> {
    try {
      const late = AbortSignal.timeout(ANSWER_MS);
      const response = await Promise.race([
        this.#client.call('POST', '/events', event),
        new Promise<never>((_resolve, reject) => {
          late.addEventListener('abort', () => reject(new Error('no response')));
        }),
      ]);
      const text = await response.text();
      if (response.status === 503 && !/^[2-5]$/.test(response.headers.get('retry-after') ?? ''))
        this.missesRetryAfter.push(text);
      return String(response.status);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
