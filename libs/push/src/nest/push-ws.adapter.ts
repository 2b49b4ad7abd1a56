import { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Logger, type INestApplicationContext } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { MAX_INBOUND_BYTES, SUBPROTOCOL, refusalTable } from '@crossfade/protocol';
import type { VerifyClientCallbackAsync, WebSocket, WebSocketServer } from 'ws';
import type { Push } from '../push.js';
import type { Refusal } from '../refusal.js';
import { InboundWebSocket, inboundOptions, type InboundLimits } from '../transports/inbound.js';
import { Door, enter } from './door.js';
import { answerOn, answerWith, problemAnswer, type HttpAnswer } from './http-answer.js';
import { PUSH, PUSH_ENDPOINT } from './injection-tokens.js';
import { listenForDisconnect, offersSubprotocol, putDecision, readConnectRequest } from './read-request.js';
import { toHttp } from './refusal-response.js';
import { asksForWebSocket, pathOf, plainPath } from './request-target.js';
import { Upgrades, requireNode } from './upgrades.js';

type Options = NonNullable<Parameters<WsAdapter['create']>[1]>;

export interface PushWsAdapterOptions {
  /**
   * Normalizes a path of the program, for everything behind the door that compares paths: the same for all spellings
   * that should be one. `plainPath` removes doubled slashes and one at the end. The push routes, and the paths of WebSocket
   * gateways, are known in every spelling without it. By default, other paths are left as they are.
   */
  readonly spell?: (path: string) => string;
}

const nowhere = problemAnswer(404, 'There is no WebSocket at this path.');

/**
 * `app.useWebSocketAdapter(new PushWsAdapter(app))`: NestJS' `ws` adapter, with an admission check before the upgrade
 * of the push endpoint, which guards cannot do. It is also the door of the whole program: it normalizes the target of every
 * request and refuses what is no path, decides what is an upgrade at all, and answers 404 to a request for a WebSocket at
 * a path that has none.
 * @throws Error on a Node before 24.9, which cannot choose what is an upgrade
 */
export class PushWsAdapter extends WsAdapter {
  readonly #logger = new Logger('Push');
  readonly #upgrades: Upgrades[] = [];
  readonly #doors: Door[] = [];
  #isPush = false;
  /** Looked up once, when the program is there. */
  #path: { readonly path: string | undefined } | undefined;

  constructor(
    private readonly app: INestApplicationContext,
    private readonly options: PushWsAdapterOptions = {},
  ) {
    requireNode();
    super(app);
    // An application context without HTTP has none.
    if (this.httpServer instanceof EventEmitter) this.#guard(0, this.httpServer as Server);
  }

  override create(port: number, options: Options = {}) {
    this.#isPush = options.path !== undefined && options.path === this.#endpoint;
    if (!this.#isPush) return super.create(port, options);
    const push = this.app.get<Push>(PUSH, { strict: false });
    const { inboundBurst: burst, inboundPerSecond: perSecond, clock } = push.parts.resolved;
    const server = super.create(port, {
      ...options,
      ...inboundOptions,
      WebSocket: InboundWebSocket,
      inbound: { burst, perSecond, clock } satisfies InboundLimits,
      maxPayload: MAX_INBOUND_BYTES,
      perMessageDeflate: false,
      handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
      verifyClient: this.#verify(push),
    }) as WebSocketServer;
    return server.on('wsClientError', ({ message }: Error, socket: Duplex) => {
      const { headers, ...answer } = problemAnswer(400, `This is no upgrade to a WebSocket: ${message}.`);
      answerOn(socket, { ...answer, headers: { ...headers, 'Sec-WebSocket-Version': '13' } });
    });
  }

  override async dispose() {
    for (const opened of [...this.#upgrades.splice(0), ...this.#doors.splice(0)]) opened.close();
    await super.dispose();
  }

  /** Replaces NestJS' own, which reads `Host` in a way that a peer can make fail, and cuts connections it does not know. */
  protected override ensureHttpServerExists(port: number, server?: Server) {
    if (this.httpServersRegistry.has(port)) return undefined;
    const own = server ?? this.#webSocketsOnly(port);
    this.httpServersRegistry.set(port, own);
    this.#upgrades.push(
      new Upgrades(
        own,
        (request) => this.#enter(port, request) === undefined,
        (path) => this.#gatewayAt(port, path),
        (error) => this.#logger.error(error),
      ),
    );
    return own;
  }

  #webSocketsOnly(port: number): Server {
    const server = createServer((_request, response) =>
      answerWith(response, problemAnswer(404, 'There are only WebSockets at this port.')),
    );
    this.#guard(port, server);
    return server;
  }

  #guard(port: number, server: Server): void {
    this.#doors.push(
      new Door(server, (request) => {
        const refusal = this.#enter(port, request);
        if (refusal !== undefined) return refusal;
        const isLost = asksForWebSocket(request) && this.#gatewayAt(port, pathOf(request)) === undefined;
        return isLost ? nowhere : undefined;
      }),
    );
  }

  /** A frame that breaks the protocol is its client's error, and a client can send very many, so none is logged. */
  override bindErrorHandler(server: WebSocketServer) {
    if (!this.#isPush) return super.bindErrorHandler(server);
    const logger = this.#logger;
    const hear = function (this: WebSocket, { message }: Error): void {
      logger.debug(`A WebSocket client is in error: ${message}`);
      // ws would read on, and throw away what it reads, until the client closes.
      process.nextTick(() => this.pause());
    };
    return server.on('connection', (client) => client.on('error', hear));
  }

  /** A gateway that subscribes to nothing reads nothing, so what its clients send is not parsed. */
  override bindMessageHandlers(...bound: Parameters<WsAdapter['bindMessageHandlers']>): void {
    const [, handlers] = bound;
    if (handlers.length > 0) super.bindMessageHandlers(...bound);
  }

  #enter(port: number, request: IncomingMessage): HttpAnswer | undefined {
    return enter(request, (path) => this.#spell(port, path));
  }

  #spell(port: number, path: string): string {
    const plain = plainPath(path).toLowerCase();
    const endpoint = this.#endpoint;
    const push = endpoint === undefined ? [] : [endpoint, `${endpoint}/settings`];
    const own = [...push, ...this.#gatewaysOf(port).map((gateway) => gateway.path)];
    return own.find((one) => one.toLowerCase() === plain) ?? this.options.spell?.(path) ?? path;
  }

  #gatewayAt(port: number, path: string): WebSocketServer | undefined {
    return this.#gatewaysOf(port).find((gateway) => gateway.path === path);
  }

  #gatewaysOf(port: number): readonly (WebSocketServer & { readonly path: string })[] {
    return (
      (this.wsServersRegistry.get(port) as (WebSocketServer & { readonly path: string })[] | undefined) ?? []
    );
  }

  /** The path of the push endpoint; undefined: the program has no `PushModule`. */
  get #endpoint(): string | undefined {
    return (this.#path ??= this.#findEndpoint()).path;
  }

  #findEndpoint(): { readonly path: string | undefined } {
    try {
      return { path: this.app.get<string>(PUSH_ENDPOINT, { strict: false }) };
    } catch {
      return { path: undefined };
    }
  }

  #verify({ parts: { admission, resolved } }: Push): VerifyClientCallbackAsync {
    return ({ req: request }, answer) => {
      // A socket that dies here never becomes a connection.
      const disconnect = listenForDisconnect(request.socket);
      const refuse = (refusal: HttpAnswer): void => answerOn(request.socket, refusal);
      Promise.try(() =>
        admission.admit(readConnectRequest('websocket', request, resolved), disconnect.signal),
      )
        .then((outcome) => {
          if (outcome.outcome === 'disconnected') return;
          const before =
            outcome.outcome === 'refused' ? this.#answerBeforeUpgrade(request, outcome.refusal) : undefined;
          if (before !== undefined) return refuse(before);
          putDecision(request, { outcome, ...disconnect });
          answer(true);
        })
        .catch((error: unknown) => {
          this.#logger.error(error);
          refuse(problemAnswer(500, 'The server could not open this stream.'));
        });
    };
  }

  /** A browser cannot see the status of an upgrade, so a client that can be told by a close code is. */
  #answerBeforeUpgrade(request: IncomingMessage, refusal: Refusal): HttpAnswer | undefined {
    const row = refusalTable[refusal.reason];
    const byCode = row.webSocket !== undefined && (row.old === 'accept' || offersSubprotocol(request));
    return byCode ? undefined : toHttp(refusal);
  }
}
