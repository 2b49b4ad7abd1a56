import { createConnection, type Socket } from 'node:net';

/** What a connection received, byte for byte. */
export interface Exchange {
  readonly text: string;
  readonly status: number;
  /** Milliseconds from the first byte sent to the complete response, and to the end of the connection. */
  readonly answeredMs: number;
  readonly closedMs: number;
}

/** Sends bytes as they are and waits until the server closes the connection. */
export class RawRequest {
  readonly socket: Socket;
  readonly #begun = performance.now();
  #text = '';
  #answeredMs = Infinity;
  #closedMs = Infinity;

  constructor(url: string, head: string) {
    this.socket = createConnection(Number(new URL(url).port), '127.0.0.1');
    this.socket.on('error', () => undefined);
    this.socket.once('close', () => (this.#closedMs = this.#elapsed()));
    this.socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
      if (this.#answeredMs === Infinity && isWhole(this.#text)) this.#answeredMs = this.#elapsed();
    });
    this.socket.write(head);
  }

  get text(): string {
    return this.#text;
  }

  async closed(): Promise<Exchange> {
    if (!this.socket.closed) await new Promise((resolve) => this.socket.once('close', resolve));
    const status = Number(/^HTTP\/1\.1 (\d{3})/m.exec(this.#text)?.[1] ?? 0);
    return { text: this.#text, status, answeredMs: this.#answeredMs, closedMs: this.#closedMs };
  }

  #elapsed(): number {
    return performance.now() - this.#begun;
  }
}

function isWhole(text: string): boolean {
  const [head = '', body] = text.split('\r\n\r\n', 2);
  return body !== undefined && body.length >= Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
}

/** The head of a request that announces a body of this many bytes, most of which may never come. */
export function headOf(
  path: string,
  length: number | 'chunked',
  headers: Record<string, string> = {},
): string {
  const all = {
    Host: 'localhost',
    'Content-Type': 'application/json',
    ...(length === 'chunked' ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': String(length) }),
    ...headers,
  };
  const rows = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `POST ${path} HTTP/1.1\r\n${rows.join('\r\n')}\r\n\r\n`;
}
