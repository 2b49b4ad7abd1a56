import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** `paused`: no bytes move, and those under way move later. `lost`: they never do, and neither side is told. */
type State = 'through' | 'paused' | 'lost' | 'cut';

/** A TCP proxy in front of a server on loopback, which can do to connections what networks do. */
export class TcpProxy {
  #state: State = 'through';
  readonly #links = new Set<Link>();
  /** Ends each connection whose client sends this text, before the server gets it. */
  cutsAt: string | undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on('connection', (client) => this.#take(client));
  }

  static async start(target: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new TcpProxy(server, target);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** A server's URL, with this proxy in its place. */
  through(url: string): string {
    const own = new URL(url);
    own.port = String(this.port);
    return own.href;
  }

  /** Ends all connections, and each new one immediately. */
  cut(): void {
    this.#state = 'cut';
    for (const link of this.#links) link.end();
  }

  /** Stops all bytes. New connections are accepted, and stopped, too. */
  pause(): void {
    this.#state = 'paused';
    for (const link of this.#links) link.pause();
  }

  /** Stops them for good: neither side of an open connection ever hears of the other again, not even of its end. */
  lose(): void {
    this.#state = 'lost';
    for (const link of this.#links) link.lose();
  }

  /** From now on everything passes; what was paused continues. */
  mend(): void {
    this.#state = 'through';
    for (const link of this.#links) link.resume();
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const link of this.#links) link.end();
    await closed;
  }

  #take(client: Socket): void {
    if (this.#state === 'cut') {
      client.on('error', () => undefined);
      return void client.resetAndDestroy();
    }
    const link = new Link(client, this.target, (chunk) => {
      return this.cutsAt !== undefined && chunk.includes(this.cutsAt);
    });
    this.#links.add(link);
    link.onEnd = () => this.#links.delete(link);
    if (this.#state === 'paused') link.pause();
    if (this.#state === 'lost') link.lose();
  }
}

/** Both halves of one connection. */
class Link {
  onEnd: () => void = () => undefined;
  readonly #server: Socket;
  #isHeld = false;
  #isLost = false;
  #hasEnded = false;

  constructor(
    private readonly client: Socket,
    target: number,
    cutsAt: (chunk: Buffer) => boolean,
  ) {
    this.#server = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    client.on('data', (chunk) => cutsAt(chunk) && this.end());
    this.#join(client, this.#server);
    this.#join(this.#server, client);
  }

  pause(): void {
    this.#isHeld = true;
    this.client.pause();
    this.#server.pause();
  }

  lose(): void {
    this.#isLost = true;
    this.pause();
  }

  resume(): void {
    if (this.#isLost) return;
    this.#isHeld = false;
    if (this.#hasEnded) return this.end();
    this.client.resume();
    this.#server.resume();
  }

  end(): void {
    this.client.destroy();
    this.#server.destroy();
    this.onEnd();
  }

  #join(from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      if (!to.destroyed) to.write(chunk);
    });
    const ended = (): void => {
      this.#hasEnded = true;
      if (!this.#isHeld) this.end();
    };
    from.on('end', ended);
    from.on('error', ended);
    from.on('close', ended);
  }
}
