import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { endChild, findProgram } from '@crossfade/test-hosts';
import type { Answered, Sent } from '../operations.ts';
import { readHeaderLines } from './header-lines.ts';

const program = fileURLToPath(new URL('./JavaClient.java', import.meta.url));

/** How the body is sent. `expected`: after the server's 100 Continue. */
export type BodyForm = 'sized' | 'chunked' | 'expected';
type Kind = 'request' | 'stream' | 'websocket';

interface Line {
  readonly number: number;
  readonly status: number;
  readonly headers: string;
  readonly body: string;
  readonly fault?: string;
}

/**
 * Java's own HttpClient with its defaults, which offers HTTP/2 with every request to a server not known to speak it. One
 * process runs all requests, and ends with its input.
 */
export class JavaClient {
  readonly #waiting = new Map<number, { resolve(line: Line): void; reject(fault: Error): void }>();
  #sent = 0;

  private constructor(private readonly child: ChildProcessByStdio<Writable, Readable, null>) {
    // Its exit code says more.
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as Line;
      this.#waiting.get(line.number)?.resolve(line);
      this.#waiting.delete(line.number);
    });
    child.once('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`Java exited with ${code}`));
    });
  }

  static start(): JavaClient {
    const java = findProgram({ name: 'Java 17', files: ['java'], package: 'openjdk-17-jdk-headless' });
    // The fastest start.
    const options = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
    return new JavaClient(spawn(java, [...options, program], { stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  /** @throws Java's exception. */
  send(url: string, sent: Sent, form: BodyForm = 'sized'): Promise<Answered> {
    return this.#ask('request', url, sent, form);
  }

  /** Reads up to the first message. */
  stream(url: string, sent: Sent): Promise<Answered> {
    return this.#ask('stream', url, sent);
  }

  /** The first message of a WebSocket. */
  webSocket(url: string, sent: Sent): Promise<Answered> {
    return this.#ask('websocket', url.replace(/^http/, 'ws'), sent);
  }

  async #ask(
    kind: Kind,
    url: string,
    { method, path, headers, body }: Sent,
    form?: BodyForm,
  ): Promise<Answered> {
    const number = (this.#sent += 1);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const fields = [
      ...[String(number), kind, body === undefined ? 'none' : (form ?? 'sized'), method],
      ...[url + path, lines.join('\n'), body ?? ''].map((one) => Buffer.from(one).toString('base64')),
    ];
    const answer = await new Promise<Line>((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.child.stdin.write(`${fields.join('\t')}\n`);
    });
    if (answer.fault !== undefined) throw new Error(`Java, ${method} ${path}: ${textOf(answer.fault)}`);
    return {
      status: answer.status,
      headers: readHeaderLines(textOf(answer.headers).split('\n').filter(Boolean)),
      text: textOf(answer.body),
    };
  }

  async stop(): Promise<void> {
    this.child.stdin.end();
    await endChild(this.child);
  }
}

const textOf = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
