import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { endChild } from './child.ts';

/** How the streams of a load are told to do something. */
export type LoadOrder =
  | { readonly do: 'open'; readonly url: string; readonly tokens: readonly string[]; readonly each: number }
  | { readonly do: 'comeBack'; readonly url: string; readonly overMs: number }
  | { readonly do: 'report' }
  | { readonly do: 'measure' };

/** One stream as its client saw it. Times are milliseconds since 1970. */
export interface StreamReport {
  readonly transport: 'sse' | 'websocket';
  readonly isOpen: boolean;
  readonly openings: number;
  /** When it was told to reconnect, and after how long. */
  readonly toldAt?: number;
  readonly delayMs?: number;
  /** When its first stream ended, and whether its own client had ended it. */
  readonly endedAt?: number;
  readonly hasMoved: boolean;
  /** The critical messages that it got: id and text, repeats included. */
  readonly criticals: readonly { readonly id: string; readonly text: string }[];
}

/** How long messages took from their date to the clients, since it was last asked. */
export interface Delays {
  readonly deliveries: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Many streams, half of each transport, in a process of their own: descriptors and CPU are not the gateway's. */
export class StreamLoad {
  readonly #child: ChildProcess = fork(
    fileURLToPath(new URL('./stream-load.child.ts', import.meta.url)),
    [],
    {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    },
  );

  /** Opens `each` streams with every token, and waits until all are connected. */
  open(url: string, tokens: readonly string[], each: number): Promise<unknown> {
    return this.#order({ do: 'open', url, tokens, each });
  }

  /** Whoever is not connected comes back with its cursor, at some moment within the time, until it is let in. */
  comeBack(url: string, overMs: number): Promise<unknown> {
    return this.#order({ do: 'comeBack', url, overMs });
  }

  async report(): Promise<readonly StreamReport[]> {
    return (await this.#order({ do: 'report' })) as readonly StreamReport[];
  }

  /** From the first call on, delays are counted and messages are not kept. */
  async measure(): Promise<Delays> {
    return (await this.#order({ do: 'measure' })) as Delays;
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
