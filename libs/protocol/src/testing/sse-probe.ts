import { createParser } from 'eventsource-parser';
import { PUSH_PATH } from '../endpoint.js';
import { decodeSseData, type Envelope } from '../envelope.js';
import { eventually } from './eventually.js';
import type { Probe, ProbeOptions, Received } from './probe.js';

/** Listens over Server-Sent Events. A refusal is in `response`: it does not throw. */
export class SseProbe implements Probe {
  readonly received: Received[] = [];
  readonly comments: string[] = [];
  /** Everything, as it came. */
  raw = '';
  ended = false;
  readonly #abort = new AbortController();

  private constructor(readonly response: Response) {
    void this.#read();
  }

  /** Resolves when the head of the answer is there. `url` is the server's, without a path. */
  static async open(url: string, { token, query = {}, headers = {} }: ProbeOptions): Promise<SseProbe> {
    const abort = new AbortController();
    const response = await fetch(`${url}${PUSH_PATH}?${new URLSearchParams(query)}`, {
      headers: { ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }), ...headers },
      signal: abort.signal,
    });
    const probe = new SseProbe(response);
    probe.#abort.signal.addEventListener('abort', () => abort.abort());
    return probe;
  }

  message(type: string, is: (message: Record<string, unknown>) => boolean = () => true): Promise<Received> {
    return eventually(`${type} over SSE`, () =>
      this.received.find((one) => one.type === type && is(one.message as Record<string, unknown>)),
    );
  }

  end(): Promise<boolean> {
    return eventually('end of the SSE stream', () => this.ended || undefined);
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(): Promise<void> {
    const parser = createParser({
      onEvent: ({ id, data }) => {
        const envelope: Envelope | undefined = decodeSseData(data);
        this.received.push({
          id,
          type: envelope?.type ?? '(not an envelope)',
          message: envelope?.message,
          at: Date.now(),
        });
      },
      onComment: (comment) => this.comments.push(comment),
    });
    try {
      for await (const chunk of (this.response.body ?? new Blob([]).stream()).pipeThrough(
        new TextDecoderStream(),
      )) {
        this.raw += chunk;
        parser.feed(chunk);
      }
    } catch {
      // A stream that was cut has ended as well.
    }
    this.ended = true;
  }
}
