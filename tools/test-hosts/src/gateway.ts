import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endChild } from './child.ts';
import { eventually } from '@crossfade/protocol/testing';
import { OwnFolder } from './keeper.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Names the folder that `first-start.ts` prepares for a run. */
export const AFTER_FIRST_START = 'CROSSFADE_AFTER_FIRST_START';

/** Puts what a first start leaves into a new folder, if this run has it. */
function putFirstStart(folder: string): void {
  const left = process.env[AFTER_FIRST_START];
  if (left === undefined || (existsSync(folder) && readdirSync(folder).length > 0)) return;
  cpSync(left, folder, { recursive: true });
}

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
  /** Makes an embedded database itself, and begins with no copy of one. */
  readonly makesDatabase?: true;
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

  /** Starts it with the sample data, which may be from an earlier start, and waits until it listens. */
  static async start({ env = {}, ...options }: GatewayOptions = {}): Promise<GatewayHost> {
    const own = new OwnFolder('gateway');
    const { databaseUrl, checkout, uid, inside, makesDatabase } = options;
    const mayCopy = [databaseUrl, checkout, uid, inside, makesDatabase].every(
      (option) => option === undefined,
    );
    if (mayCopy) putFirstStart(env['DATA_DIR'] ?? join(own.path, 'data'));
    const host = GatewayHost.#spawn({ ...options, env: { SAMPLE_DATA: 'true', ...env } }, own);
    await host.listens();
    return host;
  }

  /** Waits until it listens: then it has its `url`. */
  async listens(): Promise<void> {
    await eventually('gateway that listens', () => this.#ifAlive(this.url), 120_000);
  }

  /** Waits until it has printed this. */
  async prints(text: string): Promise<void> {
    await eventually(`"${text}" of the gateway`, () => this.#ifAlive(this.#output.includes(text)), 120_000);
  }

  #ifAlive<T>(wanted: T): T | undefined {
    if (this.child.exitCode !== null)
      throw new Error(`The gateway exited with ${this.child.exitCode}: ${this.#output}`);
    return wanted || undefined;
  }

  /** Starts it, whatever comes of it. */
  static spawn(options: GatewayOptions = {}): GatewayHost {
    return GatewayHost.#spawn(options, new OwnFolder('gateway'));
  }

  static #spawn(
    { databaseUrl, env = {}, preload = [], execArgv = [], inside = [], checkout = root, uid }: GatewayOptions,
    own: OwnFolder,
  ): GatewayHost {
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
        NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
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
    const code = await eventually('exit of the gateway', () => this.child.exitCode ?? undefined, 120_000);
    this.own.giveBack();
    return code;
  }

  /** Ends it as an operator would. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const code = await this.end(signal);
    this.own.giveBack();
    return code;
  }

  /** The same, and leaves what it has stored. */
  end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    return endChild(this.child, signal);
  }
}
