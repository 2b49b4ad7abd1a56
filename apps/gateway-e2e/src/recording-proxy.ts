import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** One attempt of a client to open a stream. */
export interface Attempt {
  readonly at: number;
  /** The cursor that it brought, in the header or the query. */
  readonly cursor: string | undefined;
  /** The status of the response. */
  status: number | undefined;
  /** The time after which it was told to come back. */
  retryAfterMs: number | undefined;
}

/** A proxy between a client and the gateway, which records each attempt and changes nothing. */
export class RecordingProxy {
  readonly attempts: Attempt[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async before(target: string): Promise<RecordingProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer();
    const proxy = new RecordingProxy(server);
    server.on('connection', (client) => proxy.#carry(client, connect(Number(port), hostname)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resets all connections. New ones are accepted. */
  breakOff(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(client: Socket, gateway: Socket): void {
    let current: Attempt | undefined;
    client.on('data', (chunk) => {
      const head = chunk.toString('latin1');
      if (/^GET \/api\/v2\/push[? ]/.test(head)) {
        const cursor =
          /^last-event-id: *(\S+)/im.exec(head)?.[1] ??
          /[?&](?:last_event_id|lastEventId)=([^& ]+)/.exec(head)?.[1];
        current = { at: Date.now(), cursor, status: undefined, retryAfterMs: undefined };
        this.attempts.push(current);
      }
    });
    gateway.on('data', (chunk) => {
      if (current === undefined || current.status !== undefined) return;
      const head = chunk.toString('latin1');
      const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
      if (status === undefined) return;
      current.status = Number(status);
      const seconds = /^retry-after: *(\d+)/im.exec(head)?.[1];
      if (seconds !== undefined) current.retryAfterMs = Number(seconds) * 1000;
    });
    client.pipe(gateway);
    gateway.pipe(client);
    for (const [one, other] of [
      [client, gateway],
      [gateway, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
