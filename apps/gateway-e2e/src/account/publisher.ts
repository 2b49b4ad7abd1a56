import { setTimeout as wait } from 'node:timers/promises';
import { ApiClient, sampleToken } from '@crossfade/test-hosts';
import { insist } from './insist.ts';

const EVERY_MS = 100;
const ANSWER_MS = 6000;
/** Requests that wait for an answer. */
const AT_ONCE = 20;
/** Messages of one request, in turns: a row of the outbox has one or several. */
const SIZES: readonly number[] = [1, 1, 2, 5];
/** Every third message is critical. */
const isCritical = (number: number): boolean => number % 3 === 0;

/** A message that was accepted, so that nothing may be silent about it. */
export interface Accepted {
  readonly text: string;
  readonly isCritical: boolean;
  /** Before the first attempt, and after the response, milliseconds since 1970. */
  readonly sentAt: number;
  readonly acceptedAt: number;
}

/** Publishes critical messages and invalidations in turns. Each is sent again, under its key, until it is accepted. */
export class AccountPublisher {
  readonly accepted: Accepted[] = [];
  #number = 0;
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly url: string,
    private readonly organization: string,
  ) {}

  start(): void {
    this.#running = this.#run();
    // `stop` throws it.
    this.#running.catch(() => undefined);
  }

  /** Resolves when everything that was begun is accepted. @throws if something cannot be */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** Publishes messages in one request. `at`: where it is sent first. */
  async publish(size: number, at = this.url): Promise<readonly Accepted[]> {
    const numbers = Array.from({ length: size }, () => (this.#number += 1));
    const key = crypto.randomUUID();
    const body = numbers.map((one) => (isCritical(one) ? critical(nameOf(one)) : this.#stale(nameOf(one))));
    const post = (url: string) =>
      new ApiClient(url, sampleToken.service).call('POST', '/push/messages', body, {
        'Idempotency-Key': key,
      });
    const sentAt = Date.now();
    let next = at;
    await insist(() => {
      const response = post(next);
      next = this.url;
      return Promise.race([response, wait(ANSWER_MS).then(() => Promise.reject(new Error('no answer')))]);
    });
    const acceptedAt = Date.now();
    const accepted = numbers.map((one) => {
      return { text: nameOf(one), isCritical: isCritical(one), sentAt, acceptedAt };
    });
    this.accepted.push(...accepted);
    return accepted;
  }

  #stale(text: string) {
    return {
      type: 'StackChanged',
      message: { type: 'Stack', organization_id: this.organization, change_type: 1, data: { text } },
    };
  }

  async #run(): Promise<void> {
    const pending = new Set<Promise<unknown>>();
    let failure: unknown;
    for (let turn = 0; !this.#isStopped && failure === undefined; turn += 1) {
      const sending: Promise<unknown> = this.publish(SIZES[turn % SIZES.length] ?? 1)
        .catch((error: unknown) => (failure = error))
        .finally(() => pending.delete(sending));
      pending.add(sending);
      await wait(EVERY_MS);
      while (pending.size >= AT_ONCE) await Promise.race(pending);
    }
    await Promise.all(pending);
    if (failure !== undefined) throw failure;
  }
}

const nameOf = (number: number): string => `message ${number}`;

const critical = (text: string) => ({
  type: 'ReleaseNotification',
  message: { critical: false, date: '2026-01-01T00:00:00Z', message: text },
});

/** The text of a message that `AccountPublisher` has published. */
export function textOf(message: unknown): string | undefined {
  const { message: text, data } = message as { message?: string; data?: { text?: string } };
  return text ?? data?.text;
}
