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

/** Copies the files of a first start into a new folder, if this run has them. */
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
  /** The URL of a PostgreSQL database. Default: PGlite in a folder of the host's own. */
  readonly databaseUrl?: string | undefined;
  /** The URL of Redis, which needs that of a database. Default: none. */
  readonly redisUrl?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** The checkout whose built gateway runs, to compare two versions. Default: this one. */
  readonly checkout?: string | undefined;
  /** Modules that the process loads before the program. */
  readonly preload?: readonly string[];
  /** Options of Node itself. */
  readonly execArgv?: readonly string[];
  /** A command that runs the gateway, such as one that enters a namespace. */
  readonly inside?: readonly string[];
  /** The number of another account to run as; only root may do this. */
  readonly uid?: number;
  /** Creates its embedded database itself instead of beginning with a copy. */
  readonly makesDatabase?: true;
}

/** The built gateway in its own process, with its own stores, on a free port. */
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

  /** Starts it with the sample data, which may come from an earlier start, and waits until it listens. */
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

  /** Waits until it listens; from then on it has a `url`. */
  async listens(): Promise<void> {
    await eventually('gateway that listens', () => this.#ifAlive(this.url), 120_000);
  }

  /** Waits until it has printed this text. */
  async prints(text: string): Promise<void> {
    await eventually(`"${text}" of the gateway`, () => this.#ifAlive(this.#output.includes(text)), 120_000);
  }

  #ifAlive<T>(wanted: T): T | undefined {
    if (this.child.exitCode !== null)
      throw new Error(`The gateway exited with ${this.child.exitCode}: ${this.#output}`);
    return wanted || undefined;
  }

  /** Starts it, without waiting for the outcome. */
  static spawn(options: GatewayOptions = {}): GatewayHost {
    return GatewayHost.#spawn(options, new OwnFolder('gateway'));
  }

  static #spawn(
    {
      databaseUrl,
      redisUrl,
      env = {},
      preload = [],
      execArgv = [],
      inside = [],
      checkout = root,
      uid,
    }: GatewayOptions,
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
        ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
        ...env,
      },
    });
    own.isUsedBy(child);
    return new GatewayHost(child, own);
  }

  /** The folder of its stores. */
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

  /** Resolves with its exit code when it exits by itself. */
  async exited(): Promise<number> {
    const code = await eventually('exit of the gateway', () => this.child.exitCode ?? undefined, 120_000);
    this.own.giveBack();
    return code;
  }

  /** Ends it with a signal, as an operator would. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const code = await this.end(signal);
    this.own.giveBack();
    return code;
  }

  /** Ends it likewise, and keeps its stores. */
  end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    return endChild(this.child, signal);
  }
}
