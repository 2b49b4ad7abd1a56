import { once } from 'node:events';
import { WebSocket } from 'ws';
import { PUSH_PATH, parameter } from '../endpoint.js';
import { decodeWebSocketFrame } from '../envelope.js';
import { eventually } from './eventually.js';
import type { Probe, ProbeOptions, Received } from './probe.js';

/** Listens over WebSocket. */
export class WsProbe implements Probe {
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

  /** Resolves when the upgrade is done. `url` is the server's, without a path. */
  static async open(url: string, options: ProbeOptions): Promise<WsProbe> {
    const probe = new WsProbe(url, options);
    await once(probe.socket, 'open');
    return probe;
  }

  message(type: string, is: (message: Record<string, unknown>) => boolean = () => true): Promise<Received> {
    return eventually(`${type} over WebSocket`, () =>
      this.received.find((one) => one.type === type && is(one.message as Record<string, unknown>)),
    );
  }

  /** The close code and reason. */
  end(): Promise<{ code: number; reason: string }> {
    return eventually('close of the WebSocket', () => this.closed);
  }

  /** The HTTP status of an upgrade that was refused: make the probe with `new`, `open` would throw. */
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
