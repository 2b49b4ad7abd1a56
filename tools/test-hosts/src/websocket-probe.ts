import { PUSH_PATH, decodeWebSocketFrame, parameter } from '@crossfade/protocol';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { eventually } from './child.ts';
import type { Probe, ProbeOptions, Received } from './probe.ts';

/** Listens over WebSocket and keeps everything it hears. */
export class WebSocketProbe implements Probe {
  readonly received: Received[] = [];
  readonly keepAlives: string[] = [];
  closed: { code: number; reason: string } | undefined;
  /** The HTTP status where the upgrade was refused. */
  status: number | undefined;
  readonly socket: WebSocket;

  constructor(url: string, { token, query = {}, headers = {}, protocols = [] }: ProbeOptions) {
    const all = new URLSearchParams({
      ...query,
      ...(token === undefined ? {} : { [parameter.token]: token }),
    });
    this.socket = new WebSocket(`${url.replace(/^http/, 'ws')}${PUSH_PATH}?${all}`, [...protocols], {
      headers,
    });
    this.socket.on('message', (data) => this.#receive(String(data)));
    this.socket.on('close', (code, reason) => (this.closed = { code, reason: String(reason) }));
    this.socket.on('unexpected-response', (_request, response) => {
      this.status = response.statusCode;
      response.destroy();
    });
    this.socket.on('error', () => undefined);
  }

  static async open(url: string, options: ProbeOptions): Promise<WebSocketProbe> {
    const probe = new WebSocketProbe(url, options);
    await once(probe.socket, 'open');
    return probe;
  }

  message(type: string, is: (message: Record<string, unknown>) => boolean = () => true): Promise<Received> {
    return eventually(`${type} over WebSocket`, () =>
      this.received.find((one) => one.type === type && is(one.message as Record<string, unknown>)),
    );
  }

  end(): Promise<{ code: number; reason: string }> {
    return eventually('close of the WebSocket', () => this.closed);
  }

  refusal(): Promise<number> {
    return eventually('refusal of the upgrade', () => this.status);
  }

  close(): void {
    this.socket.terminate();
  }

  #receive(text: string): void {
    const frame = decodeWebSocketFrame(text);
    if (frame?.envelope === undefined) {
      this.keepAlives.push(text);
      return;
    }
    const { type, message } = frame.envelope;
    this.received.push({ id: frame.id, type, message, at: Date.now() });
  }
}
