import type { IncomingMessage } from 'node:http';
import { Inject, Logger } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import { PUSH_PATH, encodeRetryAfter, refusalTable } from '@crossfade/protocol';
import { Admission, type Refusal } from '../admission.js';
import type { ResolvedPushOptions } from '../options.js';
import type { InboundWebSocket } from '../transports/inbound.js';
import { WebSocketTransport } from '../transports/websocket.js';
import { takeDecision } from './connect-request.js';
import { PUSH_OPTIONS } from './options.token.js';

/** How long a refused client has to take the close frame. */
const GOODBYE_MS = 1000;

/** Opens a WebSocket stream for what the upgrade check (`PushWsAdapter`) has let through. */
@WebSocketGateway({ path: PUSH_PATH })
export class PushGateway implements OnGatewayConnection<InboundWebSocket> {
  private readonly logger = new Logger('Push');

  constructor(
    private readonly admission: Admission,
    @Inject(PUSH_OPTIONS) private readonly options: ResolvedPushOptions,
  ) {}

  handleConnection(webSocket: InboundWebSocket, request: IncomingMessage): void {
    const decision = takeDecision(request);
    if (decision === undefined) return webSocket.terminate();
    if ('refusal' in decision.outcome) return refuse(webSocket, decision.outcome.refusal);
    const stallMs = this.options.stallSeconds * 1000;
    const transport = new WebSocketTransport(webSocket, request.socket, stallMs);
    this.admission
      .register(decision.outcome.ticket, transport, decision.gone)
      .then((registered) => {
        if ('refusal' in registered) refuse(webSocket, registered.refusal);
        if ('connection' in registered) decision.forget();
      })
      .catch((error: unknown) => {
        this.logger.error(error);
        webSocket.terminate();
      });
  }
}

function refuse(webSocket: InboundWebSocket, { reason, retryAfterMs }: Refusal): void {
  const code = refusalTable[reason].webSocket;
  webSocket.close(code, retryAfterMs === undefined ? reason : encodeRetryAfter(retryAfterMs));
  setTimeout(() => webSocket.terminate(), GOODBYE_MS).unref();
}
