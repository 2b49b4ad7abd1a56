import { once } from 'node:events';
import { get } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PUSH_PATH, decodeSseData, decodeWebSocketFrame, type Envelope } from '@crossfade/protocol';
import { WebSocket } from 'ws';

/** A wire between a client and the server that can be made as bad as wires are. */
export class Wire {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
  ) {
    client.on('data', (chunk) => server.write(chunk));
    server.on('data', (chunk) => this.#forward(chunk));
    client.on('end', () => server.end());
    server.on('end', () => client.end());
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => {
        clearInterval(this.#timer);
        other.destroy();
      });
    }
  }

  /** One byte a second, so that the server's buffers fill. */
  slowDown(): void {
    if (this.#timer !== undefined) return;
    this.server.pause();
    this.#timer = setInterval(() => {
      const byte: unknown = this.server.read(1);
      if (byte instanceof Buffer) this.#forward(byte);
    }, 1000);
  }

  speedUp(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.server.resume();
  }

  /** Both sides get a reset. */
  reset(): void {
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }

  /** The client says that it will send no more, and goes on reading. */
  halfClose(): void {
    this.server.end();
  }

  #forward(chunk: Buffer): void {
    if (this.client.destroyed) return;
    if (this.client.write(chunk) || this.#timer !== undefined) return;
    this.server.pause();
    this.client.once('drain', () => {
      if (this.#timer === undefined) this.server.resume();
    });
  }
}

/** Stands between all clients and the server. */
export class Wires {
  readonly #server: Server;
  readonly #open = new Map<number, Wire>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<Wires> {
    const server = createServer({ allowHalfOpen: true });
    const wires = new Wires(server);
    server.on('connection', (client) => {
      const wire = new Wire(client, connect({ port, host: '127.0.0.1', allowHalfOpen: true }));
      const clientPort = client.remotePort ?? 0;
      wires.#open.set(clientPort, wire);
      client.on('close', () => wires.#open.delete(clientPort));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return wires;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The wire of the client with this local port. */
  of(clientPort: number | undefined): Wire | undefined {
    return clientPort === undefined ? undefined : this.#open.get(clientPort);
  }

  close(): void {
    for (const wire of this.#open.values()) wire.reset();
    this.#server.close();
  }
}

/** What a client hears: a message, or only a cursor. */
export type Hear = (id: string | undefined, envelope: Envelope | undefined) => void;

/** One stream of a plain client. */
export interface OpenStream {
  /** Its own port, by which its wire is found. */
  readonly port: () => number | undefined;
  /** Resolves when it is over: the HTTP status if it was refused. */
  readonly ended: Promise<number | undefined>;
  close(): void;
}

export function openStream(
  transport: 'sse' | 'websocket',
  port: number,
  { token, cursor, isOld }: { token: string; cursor: string | undefined; isOld: boolean },
  hear: Hear,
): OpenStream {
  const query = new URLSearchParams({
    access_token: token,
    ...(isOld ? {} : { client: 'chaos/1' }),
    ...(cursor === undefined ? {} : { last_event_id: cursor }),
  });
  const address = `127.0.0.1:${port}${PUSH_PATH}?${query}`;
  return transport === 'sse' ? openSse(address, hear) : openWebSocket(address, hear);
}

function openSse(address: string, hear: Hear): OpenStream {
  let socket: Socket | undefined;
  const request = get(`http://${address}`, { agent: false });
  request.on('socket', (its) => (socket = its));
  const ended = new Promise<number | undefined>((resolve) => {
    request.on('error', () => resolve(undefined));
    request.on('response', (response) => {
      const { statusCode = 0 } = response;
      if (statusCode !== 200) {
        response.resume();
        return resolve(statusCode);
      }
      let rest = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        const blocks = (rest + chunk).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) {
          const id = /^id: (.*)$/m.exec(block)?.[1];
          const data = /^data: (.*)$/m.exec(block)?.[1];
          hear(id, data === undefined ? undefined : decodeSseData(data));
        }
      });
      response.on('error', () => undefined);
      response.on('close', () => resolve(undefined));
    });
  });
  return { port: () => socket?.localPort, ended, close: () => request.destroy() };
}

function openWebSocket(address: string, hear: Hear): OpenStream {
  const webSocket = new WebSocket(`ws://${address}`, { perMessageDeflate: false });
  let socket: Socket | undefined;
  webSocket.on('upgrade', (response) => (socket = response.socket));
  webSocket.on('message', (data) => {
    const frame = decodeWebSocketFrame(String(data));
    hear(frame?.id, frame?.envelope);
  });
  const ended = new Promise<number | undefined>((resolve) => {
    webSocket.on('unexpected-response', (_request, response) => {
      response.resume();
      webSocket.terminate();
      resolve(response.statusCode);
    });
    webSocket.on('error', () => undefined);
    webSocket.on('close', (code) => resolve(code === 4401 ? 401 : undefined));
  });
  return { port: () => socket?.localPort, ended, close: () => webSocket.terminate() };
}
