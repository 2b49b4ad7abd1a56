import type { Page } from 'playwright-core';

/** How long a page may take to make a request, however busy the machine is. */
const PATIENCE_MS = 60_000;

/** A response that the server has sent, and that the page gets later. */
export class HeldAnswer {
  readonly #made = Promise.withResolvers<void>();
  readonly #released = Promise.withResolvers<void>();
  readonly #arrived = Promise.withResolvers<void>();

  private constructor(
    private readonly page: Page,
    private readonly asked: RegExp,
  ) {}

  /** Delays the response to the page's next request with this path and query. */
  static async of(page: Page, asked: RegExp): Promise<HeldAnswer> {
    const held = new HeldAnswer(page, asked);
    await page.route(
      ({ pathname, search }) => asked.test(pathname + search),
      async (route) => {
        const response = await route.fetch();
        held.#made.resolve();
        await held.#released.promise;
        // After a navigation, no page waits for it.
        await route.fulfill({ response }).catch(() => undefined);
        held.#arrived.resolve();
      },
      { times: 1 },
    );
    return held;
  }

  /** Resolves when the server has sent it: later changes are not in it. */
  async made(): Promise<void> {
    const late = setTimeout(
      () => this.#made.reject(new Error(`${this.page.url()} made no request for ${this.asked}`)),
      PATIENCE_MS,
    );
    await this.#made.promise.finally(() => clearTimeout(late));
  }

  async release(): Promise<void> {
    this.#released.resolve();
    await this.#arrived.promise;
  }
}

interface ListeningWindow extends Window {
  heard: string[];
}

/** Records the messages of either app's stream, from the next document on. */
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

/** Does something, and waits until the page's stream has brought this message since then. */
export async function untilHeard(page: Page, type: string, act: () => Promise<unknown>): Promise<void> {
  await page.evaluate(() => (window as unknown as ListeningWindow).heard.splice(0));
  await act();
  await page.waitForFunction(
    (wanted) => (window as unknown as ListeningWindow).heard.some((text) => text.includes(wanted)),
    `"type":"${type}"`,
    { polling: 20 },
  );
}
