import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export type FanOutOrder =
  | { readonly do: 'open'; readonly port: number; readonly head: string; readonly streams: number }
  | { readonly do: 'measure'; readonly deliveries: number };

/** What the streams received since the last report. Delays are since publishing, in milliseconds. */
export interface Delays {
  readonly deliveries: number;
  readonly p50: number;
  readonly p99: number;
  /** As a share of one core. */
  readonly cpuShare: number;
}

/** Event streams in a process of their own. */
export class FanOutLoad {
  readonly #child: ChildProcess = fork(fileURLToPath(new URL('./fan-out.child.ts', import.meta.url)), [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });

  /** Opens streams and waits until each has its response. */
  async open(url: string, headers: Readonly<Record<string, string>>, streams: number): Promise<void> {
    const { pathname, port } = new URL(url);
    const lines = Object.entries({ Host: 'bench', ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const head = `GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`;
    const { error } = (await this.#order({ do: 'open', port: Number(port), head, streams })) as {
      error?: string;
    };
    if (error !== undefined) throw new Error(error);
  }

  /** Waits for this many deliveries, a minute at most. */
  async measure(deliveries = 0): Promise<Delays> {
    return (await this.#order({ do: 'measure', deliveries })) as Delays;
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  async #order(order: FanOutOrder): Promise<unknown> {
    this.#child.send(order);
    const [answer] = (await once(this.#child, 'message')) as [unknown];
    return answer;
  }
}
