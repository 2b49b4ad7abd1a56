import { get, type ClientRequest } from 'node:http';
import { PUSH_PATH, decodeSseData, decodeWebSocketFrame } from '@crossfade/protocol';
import { createParser } from 'eventsource-parser';
import { WebSocket } from 'ws';

/** The largest piece that they can read, in bytes. */
export const BUFFER_BYTES = 64 * 1024;
const AGAIN_MS = 100;

/**
 * A client that brings its cursor when it comes back, and cannot read more than 64 KiB at once: it treats more as an
 * error, ends its stream and opens the next one.
 */
export abstract class BoundedReader {
  readonly heard: string[] = [];
  /** Each `Resync`: its reason, and whether critical messages are complete. */
  readonly resyncs: string[] = [];
  streams = 0;
  protected cursor: string | undefined;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly url: string,
    private readonly query: Readonly<Record<string, string>>,
  ) {}

  start(): this {
    this.streams += 1;
    const cursor = this.cursor === undefined ? {} : { last_event_id: this.cursor };
    this.open(`${this.url}${PUSH_PATH}?${new URLSearchParams({ ...this.query, ...cursor })}`);
    return this;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.leave();
  }

  protected abstract open(address: string): void;
  protected abstract leave(): void;

  protected ended(): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(() => this.start(), AGAIN_MS);
  }

  protected hear(id: string | undefined, { type, message }: { type: string; message: unknown }): void {
    this.cursor = id ?? this.cursor;
    const said = message as { message?: string; reason?: string; criticals?: string };
    this.heard.push(said.message ?? type);
    if (type === 'Resync') this.resyncs.push(`${said.reason} ${said.criticals}`);
  }
}

/** Reads lines as Go's `bufio.Scanner` does, which several SSE clients use: a longer line is an error. */
export class ScanningReader extends BoundedReader {
  #request: ClientRequest | undefined;

  protected open(address: string): void {
    let rest = '';
    let data: string | undefined;
    let id: string | undefined;
    const request = get(address, { agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (Buffer.byteLength(line) >= BUFFER_BYTES) return void request.destroy();
          if (line.startsWith('data: ')) data = line.slice(6);
          if (line.startsWith('id: ')) id = line.slice(4);
          if (line !== '') continue;
          const envelope = data === undefined ? undefined : decodeSseData(data);
          if (envelope !== undefined) this.hear(id, envelope);
          data = id = undefined;
        }
        if (Buffer.byteLength(rest) >= BUFFER_BYTES) request.destroy();
      });
      response.on('error', () => undefined);
    });
    request.on('error', () => undefined).on('close', () => this.ended());
    this.#request = request;
  }

  protected leave(): void {
    this.#request?.destroy();
  }
}

/** eventsource-parser with a bound on its buffer. */
export class ParserReader extends BoundedReader {
  #stop = new AbortController();

  protected open(address: string): void {
    this.#stop = new AbortController();
    this.#read(address, this.#stop).then(
      () => this.ended(),
      () => this.ended(),
    );
  }

  protected leave(): void {
    this.#stop.abort();
  }

  async #read(address: string, stop: AbortController): Promise<void> {
    const { body } = await fetch(address, { signal: stop.signal });
    const parser = createParser({
      maxBufferSize: BUFFER_BYTES,
      onError: () => stop.abort(),
      onEvent: ({ id, data }) => {
        const envelope = decodeSseData(data);
        if (envelope !== undefined) this.hear(id, envelope);
      },
    });
    for await (const chunk of (body ?? new Blob([]).stream()).pipeThrough(new TextDecoderStream())) {
      if (stop.signal.aborted) return;
      parser.feed(chunk);
    }
  }
}

/** ws with the usual default of a largest message: it closes with 1009. */
export class BoundedWebSocket extends BoundedReader {
  #socket: WebSocket | undefined;

  protected open(address: string): void {
    this.#socket = new WebSocket(address.replace(/^http/, 'ws'), { maxPayload: BUFFER_BYTES });
    this.#socket.on('error', () => undefined).on('close', () => this.ended());
    this.#socket.on('message', (data) => {
      const frame = decodeWebSocketFrame(String(data));
      if (frame?.envelope !== undefined) this.hear(frame.id, frame.envelope);
    });
  }

  protected leave(): void {
    this.#socket?.terminate();
  }
}
