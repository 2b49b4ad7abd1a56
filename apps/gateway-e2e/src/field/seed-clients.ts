import { PUSH_PATH, decodeSseData, decodeWebSocketFrame, type Envelope } from '@crossfade/protocol';
import { EventSource } from 'eventsource';

/** The surroundings of a client. */
export interface Seat {
  /** Where it opens its streams: the gateway, or a proxy in front of it. */
  readonly pushUrl: string;
  readonly token: string;
  /** What it shows, fetched over REST. */
  readonly fetchView: () => Promise<readonly string[]>;
}

/** The messages that make it refetch. It ignores unknown ones. */
const KNOWN = new Set(['OrganizationChanged', 'ProjectChanged', 'UserMembershipChanged']);

/**
 * A client that has never heard of `Resync`, of its own name or of `crossfade.1`, with the habits of the seed's apps: it
 * reopens its stream when that has ended, and whenever it is open again (`isReconnect`), it refetches what it shows.
 */
export abstract class OldClient {
  view: readonly string[] = [];
  fetches = 0;
  /** What it received, stream by stream. */
  readonly streams: string[][] = [];
  #isFetching = false;
  #isStale = false;
  protected isStopped = false;

  constructor(protected readonly seat: Seat) {}

  abstract stop(): void;

  protected opened(): void {
    this.streams.push([]);
    this.#fetch();
  }

  protected heard(envelope: Envelope | undefined): void {
    if (envelope === undefined) return;
    this.streams.at(-1)?.push(envelope.type);
    if (KNOWN.has(envelope.type)) this.#fetch();
  }

  #fetch(): void {
    this.#isStale = true;
    if (this.#isFetching) return;
    this.#isFetching = true;
    this.#fetchUntilFresh()
      // A real client would retry; here, the gateway has stopped at the end of a test.
      .catch(() => undefined)
      .finally(() => (this.#isFetching = false));
  }

  async #fetchUntilFresh(): Promise<void> {
    while (this.#isStale && !this.isStopped) {
      this.#isStale = false;
      this.view = await this.seat.fetchView();
      this.fetches += 1;
    }
  }
}

/** Like the modern app of the seed: `fetch`, the lines of `data:` and nothing else, 1, 2, 4 … 30 s between attempts. */
export class SvelteClient extends OldClient {
  readonly #stop = new AbortController();
  readonly statuses: number[] = [];
  #attempt = 0;

  constructor(seat: Seat) {
    super(seat);
    void this.#run();
  }

  stop(): void {
    this.isStopped = true;
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    while (!this.isStopped) {
      await this.#listen().catch(() => undefined);
      if ([401, 403, 404].includes(this.statuses.at(-1) ?? 0)) return;
      const delay = Math.min(30_000, 1000 * 2 ** this.#attempt);
      this.#attempt += 1;
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }

  async #listen(): Promise<void> {
    const { pushUrl, token } = this.seat;
    const response = await fetch(`${pushUrl}${PUSH_PATH}`, {
      headers: { Accept: 'text/event-stream', Authorization: `Bearer ${token}` },
      signal: this.#stop.signal,
    });
    this.statuses.push(response.status);
    if (!response.ok || response.body === null) return;
    this.#attempt = 0;
    this.opened();
    let rest = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines)
        if (line.startsWith('data:')) this.heard(decodeSseData(line.slice(5).trimStart()));
    }
  }
}

const AGAIN_MS = 1000;
const HANDSHAKE_MS = 2000;

/** Like the AngularJS app of the seed: the token in the query, a retry every second, 1008 and 4400 to 4499 are final. */
export class AngularClient extends OldClient {
  /** The code with which each of its sockets was closed. */
  readonly closes: number[] = [];
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(seat: Seat) {
    super(seat);
    this.#open();
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #open(): void {
    const { pushUrl, token } = this.seat;
    const query = new URLSearchParams({ access_token: token });
    const socket = new WebSocket(`${pushUrl.replace(/^http/, 'ws')}${PUSH_PATH}?${query}`);
    this.#socket = socket;
    const timeout = setTimeout(() => socket.close(), HANDSHAKE_MS);
    socket.onopen = () => {
      clearTimeout(timeout);
      this.opened();
    };
    socket.onmessage = ({ data }) => this.heard(decodeWebSocketFrame(String(data))?.envelope);
    socket.onclose = ({ code }) => {
      clearTimeout(timeout);
      this.closes.push(code);
      const isFinal = code === 1008 || (code >= 4400 && code < 4500);
      if (!isFinal && !this.isStopped) this.#timer = setTimeout(() => this.#open(), AGAIN_MS);
    };
  }
}

/** Not the seed's, but similar: a standard EventSource, here the npm package, which brings its cursor when it comes back. */
export class EventSourceClient extends OldClient {
  readonly #source: EventSource;

  constructor(seat: Seat) {
    super(seat);
    const query = new URLSearchParams({ access_token: seat.token });
    this.#source = new EventSource(`${seat.pushUrl}${PUSH_PATH}?${query}`);
    this.#source.onopen = () => this.opened();
    this.#source.onmessage = ({ data }) => this.heard(decodeSseData(String(data)));
  }

  stop(): void {
    this.isStopped = true;
    this.#source.close();
  }
}
