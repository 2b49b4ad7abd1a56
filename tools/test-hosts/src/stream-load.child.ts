import { get, type IncomingMessage } from 'node:http';
import { PUSH_PATH, decodeSseData, decodeWebSocketFrame, type Envelope } from '@crossfade/protocol';
import { createParser } from 'eventsource-parser';
import { WebSocket } from 'ws';
import type { Delays, LoadOrder, Moment, StreamReport } from './stream-load.ts';

/** How many streams are opened at once. */
const AT_ONCE = 200;
const AGAIN_MS = 500;
const TURN_MS = 10;

/** When the last two turns of the event loop began that ran this timer. */
let [turn, turnBefore] = [Date.now(), Date.now()];
setInterval(() => {
  turnBefore = turn;
  turn = Date.now();
}, TURN_MS).unref();

/** Between those two turns, everything was read that had arrived before the first. So what is read now came later. */
const moment = (): Moment => ({ after: turnBefore, before: Date.now() });

/** The process of a `StreamLoad`: plain clients that remember a cursor and every critical message. */
class Client {
  readonly token: string;
  readonly transport: StreamReport['transport'];
  isOpen = false;
  openings = 0;
  told: Moment | undefined;
  delayMs: number | undefined;
  ended: Moment | undefined;
  hasMoved = false;
  readonly criticals: { id: string; text: string }[] = [];
  #cursor: string | undefined;
  #close: () => void = () => undefined;
  #connected: () => void = () => undefined;

  constructor(token: string, transport: StreamReport['transport']) {
    this.token = token;
    this.transport = transport;
  }

  /** Resolves with true when it is connected, with false when it was refused or cut before. */
  open(url: string): Promise<boolean> {
    const query = new URLSearchParams({
      access_token: this.token,
      client: 'load/1',
      ...(this.#cursor === undefined ? {} : { last_event_id: this.#cursor }),
    });
    const address = `${url}${PUSH_PATH}?${query}`;
    return new Promise((resolve) => {
      this.#connected = () => {
        this.isOpen = true;
        this.openings += 1;
        resolve(true);
      };
      const ended = (): void => {
        if (this.isOpen) this.ended ??= moment();
        this.isOpen = false;
        resolve(false);
      };
      if (this.transport === 'sse') this.#openSse(address, ended);
      else this.#openWebSocket(address.replace(/^http/, 'ws'), ended);
    });
  }

  report(): StreamReport {
    const { transport, isOpen, openings, told, delayMs, ended, hasMoved, criticals } = this;
    return {
      transport,
      isOpen,
      openings,
      hasMoved,
      criticals,
      ...(told === undefined ? {} : { told }),
      ...(delayMs === undefined ? {} : { delayMs }),
      ...(ended === undefined ? {} : { ended }),
    };
  }

  #openSse(address: string, ended: () => void): void {
    const request = get(address, { agent: false }, (response: IncomingMessage) => {
      if (response.statusCode !== 200) {
        response.destroy();
        return ended();
      }
      const parser = createParser({
        onEvent: ({ id, data }) => this.#hear(id, decodeSseData(data)),
      });
      response.setEncoding('utf8').on('data', (chunk: string) => parser.feed(chunk));
      response.on('close', ended);
      response.on('error', ended);
    });
    request.on('error', ended);
    this.#close = () => request.destroy();
  }

  #openWebSocket(address: string, ended: () => void): void {
    const socket = new WebSocket(address, { perMessageDeflate: false });
    socket.on('message', (data) => {
      const frame = decodeWebSocketFrame(String(data));
      this.#hear(frame?.id, frame?.envelope);
    });
    socket.on('close', ended);
    socket.on('error', ended);
    this.#close = () => socket.terminate();
  }

  #hear(id: string | undefined, envelope: Envelope | undefined): void {
    if (id !== undefined && id !== '') this.#cursor = id;
    if (envelope?.type === 'Connected') this.#connected();
    if (envelope?.type === 'ReleaseNotification' && delays !== undefined) {
      const delay = Date.now() - Date.parse((envelope.message as { date: string }).date);
      const slot = Math.min(LONGEST_MS, Math.max(0, delay));
      delays[slot] = (delays[slot] ?? 0) + 1;
    } else if (envelope?.type === 'ReleaseNotification') {
      this.criticals.push({ id: id ?? '', text: (envelope.message as { message: string }).message });
    }
    if (envelope?.type === 'Reconnect') {
      this.told ??= moment();
      this.delayMs ??= (envelope.message as { delay_ms: number }).delay_ms;
      // Every second one moves when told; the others stay, to see that they may.
      if (Math.random() < 0.5) {
        setTimeout(() => {
          this.hasMoved = true;
          this.#close();
        }, this.delayMs);
      }
    }
  }
}

const clients: Client[] = [];
/** Counts messages by their delay in milliseconds. Undefined: nothing is measured. */
let delays: Uint32Array | undefined;
const LONGEST_MS = 120_000;

const WAIT_MS = 60_000;

/** The counts since the last report, as soon as there are so many. */
async function measure(wanted: number): Promise<Delays> {
  const counts = (delays ??= new Uint32Array(LONGEST_MS + 1));
  const counted = () => counts.reduce((sum, count) => sum + count, 0);
  for (const until = Date.now() + WAIT_MS; counted() < wanted && Date.now() < until;)
    await new Promise((resolve) => setTimeout(resolve, 100));
  delays = new Uint32Array(LONGEST_MS + 1);
  const deliveries = counted();
  const at = (share: number): number => {
    let left = deliveries * share;
    return counts.findIndex((count) => (left -= count) <= 0);
  };
  return { deliveries, p50: at(0.5), p99: at(0.99) };
}

async function open({ url, tokens, each }: LoadOrder & { do: 'open' }): Promise<void> {
  for (const token of tokens) {
    for (let index = 0; index < each; index += 1) {
      clients.push(new Client(token, index % 2 === 0 ? 'sse' : 'websocket'));
    }
  }
  await comeBack(url, 0);
}

/** Connects all that are not, and retries each until it is. */
async function comeBack(url: string, overMs: number): Promise<void> {
  const waiting = clients.filter(({ isOpen }) => !isOpen);
  const attempts = async (client: Client): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * overMs));
    while (!(await client.open(url))) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  };
  if (overMs > 0) return void (await Promise.all(waiting.map(attempts)));
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let client = waiting.pop(); client !== undefined; client = waiting.pop()) await attempts(client);
    }),
  );
}

process.on('message', (order: LoadOrder) => {
  const done = (answer: unknown): void => void process.send?.(answer);
  switch (order.do) {
    case 'open':
      return void open(order).then(() => done({}));
    case 'comeBack':
      return void comeBack(order.url, order.overMs).then(() => done({}));
    case 'measure':
      return void measure(order.deliveries).then(done);
    case 'report':
      return done(clients.map((client) => client.report()));
  }
});
process.on('disconnect', () => process.exit());
