import { setTimeout as wait } from 'node:timers/promises';
import { SseProbe, WsProbe, type Received } from '@crossfade/protocol/testing';

/** A stream is taken for dead after so long a silence: 2.5 keep-alives of one second. */
const SILENCE_MS = 2500;
const LOOK_MS = 50;
/** A client that was refused or cut off comes back after this time, or up to twice as much. */
const BACK_MS = 200;
/** One whose right is gone should stop. It comes back all the same, but seldom: an address has a budget of bad tokens. */
const FORBIDDEN_BACK_MS = 2000;
const OPEN_MS = 3000;

/** One stream of a client, from its first message to its end. */
interface Stream {
  readonly received: readonly Received[];
  /** Changes with everything that comes, keep-alives too. */
  readonly pulse: () => number;
  readonly hasEnded: () => boolean;
  /** Whether it was refused, or ended, because the token is not good. */
  readonly isForbidden: () => boolean;
  close(): void;
}

export type Transport = 'SSE' | 'WebSocket';
type Query = Readonly<Record<string, string>>;

const UNAUTHORIZED = 401;
const UNAUTHORIZED_CLOSE = 4401;

const open: Readonly<Record<Transport, (url: string, token: string, query: Query) => Promise<Stream>>> = {
  SSE: async (url, token, query) => {
    const probe = await SseProbe.open(url, { token, query });
    return {
      received: probe.received,
      pulse: () => probe.raw.length,
      hasEnded: () => probe.ended,
      isForbidden: () => probe.response.status === UNAUTHORIZED,
      close: () => probe.close(),
    };
  },
  WebSocket: (url, token, query) => {
    const probe = new WsProbe(url, { token, query });
    return Promise.resolve({
      received: probe.received,
      pulse: () => probe.received.length + probe.keepAlives.length,
      hasEnded: () => probe.closed !== undefined,
      isForbidden: () => probe.closed?.code === UNAUTHORIZED_CLOSE,
      close: () => probe.close(),
    });
  },
};

/** What a client heard, and on which of its streams. */
export interface Heard extends Received {
  readonly stream: number;
}

/**
 * A client as PROTOCOL.md asks it to be: it comes back with its cursor, and remembers what it heard. One that does not
 * know `Resync` refetches with each new stream.
 */
export class AccountClient {
  /** Everything, of all its streams, in order. */
  readonly heard: Heard[] = [];
  /** When each of its streams was asked for, milliseconds since 1970. */
  readonly askedAt: number[] = [];
  /** How often it was told that its token is not good. */
  forbidden = 0;
  #cursor: string | undefined;
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly url: string,
    private readonly token: string,
    readonly transport: Transport,
    readonly knowsResync: boolean,
  ) {}

  start(): this {
    this.#running = this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const query = {
        ...(this.knowsResync ? { client: 'account/1' } : {}),
        ...(this.#cursor === undefined ? {} : { last_event_id: this.#cursor }),
      };
      this.askedAt.push(Date.now());
      const opening = open[this.transport](this.url, this.token, query).catch(() => undefined);
      const stream = await Promise.race([opening, wait(OPEN_MS)]);
      if (stream === undefined) void opening.then((late) => late?.close());
      else await this.#listen(stream);
      const backMs = stream?.isForbidden() === true ? FORBIDDEN_BACK_MS : BACK_MS;
      if (!this.#isStopped) await wait(backMs * (1 + Math.random()));
    }
  }

  async #listen(stream: Stream): Promise<void> {
    let read = 0;
    let pulse = -1;
    let aliveAt = performance.now();
    for (;;) {
      const hasEnded = stream.hasEnded();
      for (const received of stream.received.slice(read)) this.#hear(received);
      read = stream.received.length;
      if (stream.pulse() !== pulse) aliveAt = performance.now();
      pulse = stream.pulse();
      if (hasEnded || this.#isStopped || performance.now() - aliveAt > SILENCE_MS) break;
      await wait(LOOK_MS);
    }
    if (stream.isForbidden()) this.forbidden += 1;
    stream.close();
  }

  #hear(received: Received): void {
    this.#cursor = received.id ?? this.#cursor;
    this.heard.push({ ...received, stream: this.askedAt.length - 1 });
  }
}
