import { PUSH_PATH, SILENCE_INTERVALS, decodeSseData, parameter, type Envelope } from '@crossfade/protocol';
import { createParser } from 'eventsource-parser';

/** What happens to one stream, in order. Nothing follows `failed` or `ended`. */
export interface StreamListener {
  message(id: string | undefined, envelope: Envelope): void;
  /** The cursor of the stream's new position. */
  cursor(id: string): void;
  failed(status?: number, retryAfterMs?: number): void;
  ended(): void;
}

export interface StreamRequest {
  readonly token: string;
  readonly cursor: string | undefined;
  readonly client: string;
}

/** How long to wait for a response's headers. */
const HEADERS_MS = 10_000;
/** Assumed until `Connected` tells the keep-alive interval. */
const FIRST_KEEP_ALIVE_MS = 15_000;

/** One attempt at a stream over `fetch`, which unlike EventSource can send a header and see a status. */
export class PushStream {
  readonly #abort = new AbortController();
  #keepAliveMs = FIRST_KEEP_ALIVE_MS;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(
    request: StreamRequest,
    private readonly listener: StreamListener,
  ) {
    void this.#run(request);
  }

  /** Ends the stream. The listener is not called again. */
  close(): void {
    clearTimeout(this.#silence);
    this.#abort.abort();
  }

  /** The server's keep-alive interval. Silence for 2.5 intervals ends the stream. */
  expectKeepAliveEvery(milliseconds: number): void {
    this.#keepAliveMs = milliseconds;
    this.#alive();
  }

  async #run(request: StreamRequest): Promise<void> {
    const body = await this.#open(request);
    if (body === undefined) return;
    try {
      await this.#read(body);
    } catch {
      // A stream that breaks off has ended, too; `fetch` says no more about it.
    }
    if (!this.#abort.signal.aborted) this.#end();
  }

  async #open({
    token,
    cursor,
    client,
  }: StreamRequest): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined> {
    const headersLate = setTimeout(() => this.#fail(), HEADERS_MS);
    try {
      const query = new URLSearchParams({ [parameter.client]: client });
      const response = await fetch(`${PUSH_PATH}?${query}`, {
        headers: {
          Accept: 'text/event-stream',
          Authorization: `Bearer ${token}`,
          ...(cursor === undefined ? {} : { 'Last-Event-ID': cursor }),
        },
        cache: 'no-store',
        signal: this.#abort.signal,
      });
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      if (response.ok && isStream && response.body !== null) return response.body;
      this.#fail(response.ok ? undefined : response.status, retryAfterMs(response));
    } catch {
      if (!this.#abort.signal.aborted) this.#fail();
    } finally {
      clearTimeout(headersLate);
    }
    return undefined;
  }

  async #read(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    this.#alive();
    const parser = createParser({
      onId: (id) => this.listener.cursor(id),
      onEvent: ({ id, data }) => {
        const envelope = decodeSseData(data);
        if (envelope !== undefined) this.listener.message(id, envelope);
      },
    });
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      if (this.#abort.signal.aborted) return;
      // Any byte keeps the stream alive, comments included.
      this.#alive();
      parser.feed(read.value);
    }
  }

  #alive(): void {
    clearTimeout(this.#silence);
    if (this.#abort.signal.aborted) return;
    this.#silence = setTimeout(() => this.#end(), this.#keepAliveMs * SILENCE_INTERVALS);
  }

  #fail(status?: number, retryAfter?: number): void {
    this.close();
    this.listener.failed(status, retryAfter);
  }

  #end(): void {
    this.close();
    this.listener.ended();
  }
}

function retryAfterMs(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
