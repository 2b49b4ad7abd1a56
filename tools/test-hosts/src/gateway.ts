import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endChild } from './child.ts';
import { eventually } from '@crossfade/protocol/testing';
import { OwnFolder } from './keeper.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Sample tokens, as the documentation names them. */
export const sampleToken = {
  storefront: 'demo-storefront-token-0000000000000000',
  storefrontPush: 'demo-storefront-push-token-00000000000',
  rocket: 'demo-rocket-token-00000000000000000000',
  intranet: 'demo-intranet-token-00000000000000000',
  service: 'demo-service-token-000000000000000000',
};

export interface GatewayOptions {
  /** PostgreSQL's; PGlite in a folder of its own by default. */
  readonly databaseUrl?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** A checkout whose built gateway it is, to compare two versions; this one by default. */
  readonly checkout?: string | undefined;
  /** Modules that the process loads before the program. */
  readonly preload?: readonly string[];
  /** Of Node itself. */
  readonly execArgv?: readonly string[];
  /** A command that runs it, such as one that enters a name space. */
  readonly inside?: readonly string[];
  /** Another account to run it as, by its number; only root may. */
  readonly uid?: number;
}

/** The built gateway as a process of its own, with stores of its own, on a free port. */
export class GatewayHost {
  #output = '';

  private constructor(
    private readonly child: ChildProcess,
    private readonly own: OwnFolder,
  ) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => (this.#output += chunk));
    }
    child.on('message', ({ ready }: { ready: string }) => (this.url = ready));
  }

  url = '';

  /** Starts it with the sample data and waits until it listens. */
  static async start({ env = {}, ...options }: GatewayOptions = {}): Promise<GatewayHost> {
    const host = GatewayHost.spawn({ ...options, env: { SAMPLE_DATA: 'true', ...env } });
    await host.listens();
    return host;
  }

  /** Waits until it listens: then it has its `url`. */
  async listens(): Promise<void> {
    await eventually('gateway that listens', () => this.#ifAlive(this.url), 60_000);
  }

  /** Waits until it has printed this. */
  async prints(text: string): Promise<void> {
    await eventually(`"${text}" of the gateway`, () => this.#ifAlive(this.#output.includes(text)), 60_000);
  }

  #ifAlive<T>(wanted: T): T | undefined {
    if (this.child.exitCode !== null)
      throw new Error(`The gateway exited with ${this.child.exitCode}: ${this.#output}`);
    return wanted || undefined;
  }

  /** Starts it, whatever comes of it. */
  static spawn({
    databaseUrl,
    env = {},
    preload = [],
    execArgv = [],
    inside = [],
    checkout = root,
    uid,
  }: GatewayOptions = {}): GatewayHost {
    const own = new OwnFolder('gateway');
    const main = join(checkout, 'apps/gateway/dist/main.js');
    const [command = process.execPath, ...given] = [
      ...inside,
      process.execPath,
      ...execArgv,
      ...preload.flatMap((module) => ['--import', module]),
      main,
    ];
    const child = spawn(command, given, {
      ...(uid === undefined ? {} : { uid, gid: uid }),
      cwd: own.path,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        PATH: process.env['PATH'],
        PORT: '0',
        METRICS_PORT: '0',
        DATA_DIR: join(own.path, 'data'),
        ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
        ...env,
      },
    });
    own.isUsedBy(child);
    return new GatewayHost(child, own);
  }

  /** Where its stores are. */
  get folder(): string {
    return this.own.path;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Everything it has printed. */
  get output(): string {
    return this.#output;
  }

  /** Its exit code, once it has exited by itself. */
  async exited(): Promise<number> {
    const code = await eventually('exit of the gateway', () => this.child.exitCode ?? undefined, 30_000);
    this.own.giveBack();
    return code;
  }

  /** Ends it as an operator would. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const code = await endChild(this.child, signal);
    this.own.giveBack();
    return code;
  }
}
