import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A socket to a program, and everything that it has received so far. */
export interface RawSocket {
  readonly socket: Socket;
  text(): string;
  /** Resolves with everything received once the program has closed it. */
  closed(): Promise<string>;
}

/** Connects and sends these bytes as they are. */
export async function sendRaw(url: string, bytes: string | Uint8Array): Promise<RawSocket> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''));
  let text = '';
  socket.on('error', () => undefined).on('data', (chunk) => (text += chunk.toString('latin1')));
  // Not `once`, which rejects on an error.
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await once(socket, 'connect');
  socket.write(bytes);
  return { socket, text: () => text, closed: () => closed.then(() => text) };
}

/** A program's response to one request, over its own connection. */
export async function answerTo(
  url: string,
  bytes: string,
): Promise<{ status: number; head: string; body: string }> {
  const { closed, socket } = await sendRaw(url, bytes);
  const late = setTimeout(() => socket.destroy(), 5000);
  const [head = '', ...body] = (await closed()).split('\r\n\r\n');
  clearTimeout(late);
  return { status: Number(head.split(' ')[1] ?? 0), head, body: body.join('\r\n\r\n') };
}
