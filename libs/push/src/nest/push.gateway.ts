import type { IncomingMessage } from 'node:http';
import { Inject, Logger, type Type } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection } from '@nestjs/websockets';
import { encodeRetryAfter, refusalTable } from '@crossfade/protocol';
import { CLOSE_TIMEOUT_MS } from '../deadline.js';
import type { Push } from '../push.js';
import type { Refusal } from '../refusal.js';
import type { InboundWebSocket } from '../transports/inbound.js';
import { WebSocketTransport } from '../transports/websocket.js';
import { PUSH } from './injection-tokens.js';
import { takeDecision } from './read-request.js';

/** The gateway, at a path. */
export function pushGatewayAt(path: string): Type<PushSockets> {
  @WebSocketGateway({ path })
  class PushGateway extends PushSockets {}
  return PushGateway;
}

/** Opens a WebSocket stream for a request that the upgrade check (`PushWsAdapter`) has decided about. */
class PushSockets implements OnGatewayConnection<InboundWebSocket> {
  private readonly logger = new Logger('Push');

  constructor(@Inject(PUSH) private readonly push: Push) {}

  handleConnection(webSocket: InboundWebSocket, request: IncomingMessage): void {
    const decision = takeDecision(request);
    if (decision === undefined) return webSocket.terminate();
    const { outcome: admitted, signal, forget } = decision;
    if (admitted.outcome === 'refused') return refuse(webSocket, admitted.refusal);
    const { streams, resolved } = this.push.parts;
    const transport = new WebSocketTransport(webSocket, request.socket, resolved.stallSeconds * 1000);
    streams
      .open(admitted, transport, signal)
      .then((opened) => {
        if (opened.outcome === 'refused') refuse(webSocket, opened.refusal);
        // From here on the transport hears of the end.
        if (opened.outcome === 'opened') forget();
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
  setTimeout(() => webSocket.terminate(), CLOSE_TIMEOUT_MS).unref();
}
