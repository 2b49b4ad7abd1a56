import { once } from 'node:events';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** One request for a stream, whatever version of HTTP it is made in. */
export interface StreamClient {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Everything of the body so far. */
  text(): string;
  events(): EventSourceMessage[];
  /** Whether the body came to its end; a connection that broke is none. */
  ended(): boolean;
  pause(): void;
  resume(): void;
  /** Cuts the connection. */
  close(): void;
}

export type OpenStream = (port: number, path: string, token?: string) => Promise<StreamClient>;

const authorization = (token: string | undefined) =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

function client(
  status: number,
  headers: IncomingHttpHeaders,
  body: Readable,
  close: () => void,
): StreamClient {
  let text = '';
  let ended = false;
  body.setEncoding('utf8');
  body.on('data', (chunk: string) => (text += chunk));
  body.on('end', () => (ended = true));
  body.on('error', () => undefined);
  return {
    status,
    headers,
    text: () => text,
    events: () => eventsIn(text),
    ended: () => ended,
    pause: () => body.pause(),
    resume: () => body.resume(),
    close,
  };
}

export function eventsIn(text: string): EventSourceMessage[] {
  const found: EventSourceMessage[] = [];
  createParser({ onEvent: (event) => found.push(event) }).feed(text);
  return found;
}

export const overHttp11: OpenStream = async (port, path, token) => {
  const sent = request({ host: '127.0.0.1', port, path, agent: false, headers: authorization(token) });
  sent.on('error', () => undefined);
  sent.end();
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  return client(response.statusCode ?? 0, response.headers, response, () => sent.destroy());
};

/** By hand: no client speaks it any more, but proxies do. The body ends with the connection. */
export const overHttp10: OpenStream = async (port, path, token) => {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const head = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  socket.write(`GET ${path} HTTP/1.0\r\nHost: localhost\r\n${head}\r\n`);
  let begun = Buffer.alloc(0);
  while (!begun.includes('\r\n\r\n')) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    begun = Buffer.concat([begun, chunk]);
  }
  socket.pause();
  const end = begun.indexOf('\r\n\r\n');
  const [first = '', ...lines] = begun.subarray(0, end).toString().split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  socket.unshift(begun.subarray(end + 4));
  const opened = client(Number(first.split(' ')[1]), headers, socket, () => socket.destroy());
  socket.resume();
  return opened;
};

/** In clear text, with prior knowledge (RFC 9113, section 3.3). */
export const overHttp2: OpenStream = async (port, path, token) => {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  const stream = session.request({ ':path': path, ...authorization(token) });
  stream.on('error', () => undefined);
  stream.on('close', () => session.close());
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
  return client(headers[':status'], headers, stream, () => session.destroy());
};
