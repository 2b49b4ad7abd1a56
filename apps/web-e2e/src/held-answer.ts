import type { Page } from 'playwright-core';

/** An answer that the server has made, and that its page gets later. */
export class HeldAnswer {
  readonly #made = Promise.withResolvers<void>();
  readonly #released = Promise.withResolvers<void>();
  readonly #arrived = Promise.withResolvers<void>();

  private constructor() {}

  /** Holds the answer to the next question of the page whose path and query fit. */
  static async of(page: Page, asked: RegExp): Promise<HeldAnswer> {
    const held = new HeldAnswer();
    await page.route(
      ({ pathname, search }) => asked.test(pathname + search),
      async (route) => {
        const response = await route.fetch();
        held.#made.resolve();
        await held.#released.promise;
        // Nobody waits for it any more when its page was left.
        await route.fulfill({ response }).catch(() => undefined);
        held.#arrived.resolve();
      },
      { times: 1 },
    );
    return held;
  }

  /** The server has made it: what changes from now on is not in it. */
  get made(): Promise<void> {
    return this.#made.promise;
  }

  async release(): Promise<void> {
    this.#released.resolve();
    await this.#arrived.promise;
  }
}

interface ListeningWindow extends Window {
  heard: string[];
}

/** Notes what the stream of either app brings, from the next document on. */
export async function noteMessages(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const own = window as unknown as ListeningWindow & typeof globalThis;
    own.heard = [];
    const ask = own.fetch;
    own.fetch = async (input, init) => {
      const answer = await ask(input, init);
      if (!String(input).includes('/api/v2/push?') || answer.body === null) return answer;
      const [noted, read] = answer.body.tee();
      const note = async () => {
        const reader = noted.pipeThrough(new TextDecoderStream()).getReader();
        for (let next = await reader.read(); !next.done; next = await reader.read())
          own.heard.push(next.value);
      };
      note().catch(() => undefined);
      return new Response(read, answer);
    };
    own.WebSocket = class extends own.WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        this.addEventListener('message', ({ data }) => own.heard.push(String(data)));
      }
    };
  });
}

/** Does something, and waits until the page's stream has brought this message since. */
export async function untilHeard(page: Page, type: string, act: () => Promise<unknown>): Promise<void> {
  await page.evaluate(() => (window as unknown as ListeningWindow).heard.splice(0));
  await act();
  await page.waitForFunction(
    (wanted) => (window as unknown as ListeningWindow).heard.some((text) => text.includes(wanted)),
    `"type":"${type}"`,
    { polling: 20 },
  );
}
