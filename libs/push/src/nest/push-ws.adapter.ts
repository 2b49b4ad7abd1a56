import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Logger, type INestApplicationContext } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { MAX_INBOUND_BYTES, PUSH_PATH, SUBPROTOCOL, refusalTable } from '@crossfade/protocol';
import type { VerifyClientCallbackAsync, WebSocket, WebSocketServer } from 'ws';
import { Admission, type Refusal } from '../admission.js';
import type { ResolvedPushOptions } from '../options.js';
import { InboundWebSocket, inboundOptions, type InboundLimits } from '../transports/inbound.js';
import { listenForLeaving, offersSubprotocol, putDecision, readConnectRequest } from './connect-request.js';
import { answerOn, answerWith, problemAnswer, type HttpAnswer } from './http-answer.js';
import { PUSH_OPTIONS } from './options.token.js';
import { raw } from './raw.js';
import { toHttp } from './refusal.js';
import { asksForWebSocket, pathOf } from './request-target.js';
import { Upgrades, requireNode } from './upgrades.js';

type Options = NonNullable<Parameters<WsAdapter['create']>[1]>;
type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

const nowhere = problemAnswer(404, 'There is no WebSocket at this path.');

/**
 * `app.useWebSocketAdapter(new PushWsAdapter(app))`: NestJS' `ws` adapter, with an admission check before the upgrade
 * of the push endpoint, which guards cannot do. For all gateways of the program, it decides what is an upgrade at all.
 * Make it before your own middleware: it adds one, which answers 404 to a request for a WebSocket where there is none.
 * @throws Error on a Node before 24.9, which cannot choose what is an upgrade
 */
export class PushWsAdapter extends WsAdapter {
  readonly #logger = new Logger('Push');
  readonly #upgrades: Upgrades[] = [];
  #isPush = false;

  constructor(
    private readonly app: INestApplicationContext & { readonly use?: (middleware: Middleware) => unknown },
  ) {
    requireNode();
    super(app);
    app.use?.((request, response, next) => {
      if (asksForWebSocket(raw(request)) && this.#gatewayAt(0, pathOf(raw(request))) === undefined) {
        answerWith(raw(response), nowhere);
      } else next();
    });
  }

  override create(port: number, options: Options = {}) {
    this.#isPush = options.path === PUSH_PATH;
    if (!this.#isPush) return super.create(port, options);
    const admission = this.app.get(Admission, { strict: false });
    const resolved = this.app.get<ResolvedPushOptions>(PUSH_OPTIONS, { strict: false });
    const { inboundBurst: burst, inboundPerSecond: perSecond, clock } = resolved;
    const server = super.create(port, {
      ...options,
      ...inboundOptions,
      WebSocket: InboundWebSocket,
      inbound: { burst, perSecond, clock } satisfies InboundLimits,
      maxPayload: MAX_INBOUND_BYTES,
      perMessageDeflate: false,
      handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
      verifyClient: this.#verify(admission, resolved),
    }) as WebSocketServer;
    return server.on('wsClientError', ({ message }: Error, socket: Duplex) => {
      const { headers, ...answer } = problemAnswer(400, `This is no upgrade to a WebSocket: ${message}.`);
      answerOn(socket, { ...answer, headers: { ...headers, 'Sec-WebSocket-Version': '13' } });
    });
  }

  override async dispose() {
    for (const upgrades of this.#upgrades.splice(0)) upgrades.close();
    await super.dispose();
  }

  /** In place of NestJS' own, which reads `Host` in a way that a peer can make fail, and cuts what it does not know. */
  protected override ensureHttpServerExists(port: number, server?: Server) {
    if (this.httpServersRegistry.has(port)) return undefined;
    const own =
      server ??
      createServer((_request, response) =>
        answerWith(response, problemAnswer(404, 'There are only WebSockets at this port.')),
      );
    this.httpServersRegistry.set(port, own);
    this.#upgrades.push(
      new Upgrades(
        own,
        (path) => this.#gatewayAt(port, path),
        (error) => this.#logger.error(error),
      ),
    );
    return own;
  }

  /** A frame that breaks the protocol is its client's error, and anyone can send very many: not one for the log. */
  override bindErrorHandler(server: WebSocketServer) {
    if (!this.#isPush) return super.bindErrorHandler(server);
    const logger = this.#logger;
    const hear = function (this: WebSocket, { message }: Error): void {
      logger.debug(`A WebSocket client is in error: ${message}`);
      // ws reads on and throws away until its client closes: none of that is wanted.
      process.nextTick(() => this.pause());
    };
    return server.on('connection', (client) => client.on('error', hear));
  }

  /** Nobody reads what a client says to a gateway that subscribes to nothing, so it is not parsed. */
  override bindMessageHandlers(...bound: Parameters<WsAdapter['bindMessageHandlers']>): void {
    const [, handlers] = bound;
    if (handlers.length > 0) super.bindMessageHandlers(...bound);
  }

  #gatewayAt(port: number, path: string): WebSocketServer | undefined {
    const gateways = this.wsServersRegistry.get(port) as (WebSocketServer & { path: string })[] | undefined;
    return gateways?.find((gateway) => gateway.path === path);
  }

  #verify(admission: Admission, options: ResolvedPushOptions): VerifyClientCallbackAsync {
    return ({ req: request }, answer) => {
      // A socket that dies here never becomes a connection.
      const leaving = listenForLeaving(request.socket);
      const refuse = (refusal: HttpAnswer): void => answerOn(request.socket, refusal);
      Promise.try(() => admission.admit(readConnectRequest('websocket', request, options), leaving.gone))
        .then((admitted) => {
          if ('gone' in admitted) return;
          const before =
            'refusal' in admitted ? this.#answerBeforeUpgrade(request, admitted.refusal) : undefined;
          if (before !== undefined) return refuse(before);
          putDecision(request, { outcome: admitted, ...leaving });
          answer(true);
        })
        .catch((error: unknown) => {
          this.#logger.error(error);
          refuse(problemAnswer(500, 'The server could not open this stream.'));
        });
    };
  }

  /** A browser cannot see this status, so whoever can be told by a close code is told by that. */
  #answerBeforeUpgrade(request: IncomingMessage, refusal: Refusal): HttpAnswer | undefined {
    const row = refusalTable[refusal.reason];
    const byCode = row.webSocket !== undefined && (row.old === 'accept' || offersSubprotocol(request));
    return byCode ? undefined : toHttp(refusal);
  }
}
