import type { IncomingMessage } from 'node:http';
import { Logger, type INestApplicationContext } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { MAX_INBOUND_BYTES, PUSH_PATH, SUBPROTOCOL, refusalTable } from '@crossfade/protocol';
import type { VerifyClientCallbackAsync, WebSocketServer } from 'ws';
import { Admission, type Refusal } from '../admission.js';
import type { ResolvedPushOptions } from '../options.js';
import { listenForLeaving, putDecision, readConnectRequest } from './connect-request.js';
import { PUSH_OPTIONS } from './options.token.js';
import { toHttp } from './refusal.js';

type Options = NonNullable<Parameters<WsAdapter['create']>[1]>;

/**
 * `app.useWebSocketAdapter(new PushWsAdapter(app))`: NestJS' `ws` adapter, with an admission check before the upgrade
 * of the push endpoint, which guards cannot do. Other gateways of the program are not touched.
 */
export class PushWsAdapter extends WsAdapter {
  readonly #logger = new Logger('Push');
  #isPush = false;

  constructor(private readonly app: INestApplicationContext) {
    super(app);
  }

  override create(port: number, options: Options = {}) {
    this.#isPush = options.path === PUSH_PATH;
    if (!this.#isPush) return super.create(port, options);
    return super.create(port, {
      ...options,
      maxPayload: MAX_INBOUND_BYTES,
      perMessageDeflate: false,
      handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
      verifyClient: this.#verify(
        this.app.get(Admission, { strict: false }),
        this.app.get<ResolvedPushOptions>(PUSH_OPTIONS, { strict: false }),
      ),
    });
  }

  /** A frame that breaks the protocol is its client's error, and anyone can send very many: not one for the log. */
  override bindErrorHandler(server: WebSocketServer) {
    if (!this.#isPush) return super.bindErrorHandler(server);
    return server.on('connection', (client) =>
      client.on('error', (error) => this.#logger.debug(`A WebSocket client is in error: ${error.message}`)),
    );
  }

  #verify(admission: Admission, options: ResolvedPushOptions): VerifyClientCallbackAsync {
    return ({ req: request }, answer) => {
      // A socket that dies here never becomes a connection.
      const leaving = listenForLeaving(request.socket);
      admission.admit(readConnectRequest('websocket', request, options), leaving.gone).then(
        (admitted) => {
          if ('gone' in admitted) return;
          const status =
            'refusal' in admitted ? this.#statusBeforeUpgrade(request, admitted.refusal) : undefined;
          if (status === undefined) {
            putDecision(request, { outcome: admitted, ...leaving });
            return answer(true);
          }
          answer(false, status.status, status.body, { ...status.headers });
        },
        (error: unknown) => {
          this.#logger.error(error);
          answer(false, 500);
        },
      );
    };
  }

  /** A browser cannot see this status, so whoever can be told by a close code is told by that. */
  #statusBeforeUpgrade(request: IncomingMessage, refusal: Refusal) {
    const row = refusalTable[refusal.reason];
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
    const byCode = row.webSocket !== undefined && (row.old === 'accept' || offered.includes(SUBPROTOCOL));
    return byCode ? undefined : toHttp(refusal);
  }
}
