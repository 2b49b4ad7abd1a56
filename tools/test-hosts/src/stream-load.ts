import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { endChild } from './child.ts';

/** Orders to the streams of a load. */
export type LoadOrder =
  | { readonly do: 'open'; readonly url: string; readonly tokens: readonly string[]; readonly each: number }
  | { readonly do: 'comeBack'; readonly url: string; readonly overMs: number }
  | { readonly do: 'report' }
  | { readonly do: 'measure'; readonly deliveries: number };

/**
 * When something arrived, in milliseconds since 1970: `before` is when the client saw it. It may have been busy with other
 * streams, so it came later than `after`, and not necessarily later than that.
 */
export interface Moment {
  readonly after: number;
  readonly before: number;
}

/** One stream as its client saw it. */
export interface StreamReport {
  readonly transport: 'sse' | 'websocket';
  readonly isOpen: boolean;
  readonly openings: number;
  /** When it was told to reconnect, and with which delay. */
  readonly told?: Moment;
  readonly delayMs?: number;
  /** When its first stream ended, and whether its own client had ended it. */
  readonly ended?: Moment;
  readonly hasMoved: boolean;
  /** The critical messages that it received, by id and text, repeats included. */
  readonly criticals: readonly { readonly id: string; readonly text: string }[];
}

/** How long messages took from their date to the clients, since the last report. */
export interface Delays {
  readonly deliveries: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Many streams, half on each transport, in their own process, so that their descriptors and CPU are not the gateway's. */
export class StreamLoad {
  readonly #child: ChildProcess = fork(
    fileURLToPath(new URL('./stream-load.child.ts', import.meta.url)),
    [],
    {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    },
  );

  /** Opens `each` streams per token, and waits until all are connected. */
  open(url: string, tokens: readonly string[], each: number): Promise<unknown> {
    return this.#order({ do: 'open', url, tokens, each });
  }

  /** Reconnects each disconnected stream with its cursor, at a random moment within the time, and retries until it is admitted. */
  comeBack(url: string, overMs: number): Promise<unknown> {
    return this.#order({ do: 'comeBack', url, overMs });
  }

  async report(): Promise<readonly StreamReport[]> {
    return (await this.#order({ do: 'report' })) as readonly StreamReport[];
  }

  /**
   * Waits for this many messages, a minute at most. From the first call on, delays are counted, and messages are no longer
   * kept.
   */
  async measure(deliveries = 0): Promise<Delays> {
    return (await this.#order({ do: 'measure', deliveries })) as Delays;
  }

  async stop(): Promise<void> {
    await endChild(this.#child, 'SIGKILL');
  }

  async #order(order: LoadOrder): Promise<unknown> {
    this.#child.send(order);
    const [answer] = (await once(this.#child, 'message')) as [unknown];
    return answer;
  }
}
