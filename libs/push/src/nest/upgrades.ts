import type { IncomingMessage, Server, ServerOptions } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { answerOn, problemAnswer } from './http-answer.js';
import { asksForWebSocket, pathOf } from './request-target.js';

/** The first Node that lets a program choose which requests are upgrades. Older ones take each with an `Upgrade` header. */
const LEAST_NODE = [24, 9] as const;

/** @throws Error in one sentence, on a Node that cannot choose. */
export function requireNode(version = process.versions.node): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return;
  throw new Error(
    `PushWsAdapter needs Node ${LEAST_NODE.join('.')} or later, and this is ${version}: ` +
      'an older one takes every request with an Upgrade header for a WebSocket.',
  );
}

/** Node's types have it as an option only. */
type ChoosingServer = Server & Pick<ServerOptions, 'shouldUpgradeCallback'>;

/** An upgraded socket has no listener at first, and an error that nobody hears ends the process. */
const hear = (): void => undefined;

/**
 * Decides which requests of an HTTP server become WebSockets: those that ask for one, at a path that has a gateway. The
 * server ignores the `Upgrade` header of every other request, such as `h2c` from Java's HTTP client. What another part of
 * the program takes for an upgrade stays with that part.
 */
export class Upgrades {
  readonly #before: ServerOptions['shouldUpgradeCallback'];

  constructor(
    private readonly server: ChoosingServer,
    /** Whether the request has a path. One without is no upgrade, and is refused as any other request. */
    private readonly enters: (request: IncomingMessage) => boolean,
    private readonly gatewayAt: (path: string) => WebSocketServer | undefined,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#before = server.shouldUpgradeCallback;
    server.shouldUpgradeCallback = this.#isUpgrade;
    // Before any other listener: its errors are heard, whoever takes the socket.
    server.prependListener('upgrade', this.#upgrade);
  }

  /** Leaves the server as it was. */
  close(): void {
    this.server.off('upgrade', this.#upgrade);
    if (this.server.shouldUpgradeCallback === this.#isUpgrade) {
      this.server.shouldUpgradeCallback = this.#before;
    }
  }

  readonly #isUpgrade = (request: IncomingMessage): boolean =>
    this.enters(request) && (this.#gatewayOf(request) !== undefined || this.#wasUpgrade(request));

  #gatewayOf(request: IncomingMessage): WebSocketServer | undefined {
    return asksForWebSocket(request) ? this.gatewayAt(pathOf(request)) : undefined;
  }

  /** What the callback before this one decides. Node's own says yes while anybody listens, and must not count this. */
  #wasUpgrade(request: IncomingMessage): boolean {
    const { server } = this;
    const withoutThis = Object.create(server, {
      listenerCount: {
        value: (event: string) =>
          server.listeners(event).filter((listener) => listener !== this.#upgrade).length,
      },
    }) as ChoosingServer;
    try {
      return Boolean(this.#before?.call(withoutThis, request));
    } catch (error) {
      this.onError(error);
      return false;
    }
  }

  readonly #upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', hear);
    const gateway = this.#gatewayOf(request);
    if (gateway === undefined) return;
    try {
      // ws accepts no other protocol beside it.
      request.headers.upgrade = 'websocket';
      gateway.handleUpgrade(request, socket, head, (webSocket) => {
        // From here on it has a listener of its own.
        socket.off('error', hear);
        this.#connect(gateway, webSocket, request);
      });
    } catch (error) {
      this.onError(error);
      answerOn(socket, problemAnswer(400, 'The upgrade to a WebSocket cannot be read.'));
    }
  };

  #connect(gateway: WebSocketServer, webSocket: WebSocket, request: IncomingMessage): void {
    try {
      gateway.emit('connection', webSocket, request);
    } catch (error) {
      this.onError(error);
      webSocket.terminate();
    }
  }
}
