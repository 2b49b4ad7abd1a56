import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../clock.js';
import { RedisConnection } from './connection.js';

/** A real redis-server on a free loopback port. It keeps what it stores on disk, unless it is told to forget it. */
export class RedisServer {
  #child: ChildProcess;

  private constructor(
    private readonly folder: string,
    readonly port: number,
    private readonly settings: readonly string[],
    child: ChildProcess,
  ) {
    this.#child = child;
  }

  /** `settings`: further options, as on the command line of redis-server. */
  static async start(...settings: readonly string[]): Promise<RedisServer> {
    return RedisServer.startOn(await freePort(), ...settings);
  }

  static async startOn(port: number, ...settings: readonly string[]): Promise<RedisServer> {
    const folder = mkdtempSync(join(tmpdir(), 'crossfade-redis-'));
    return new RedisServer(folder, port, settings, await launch(folder, port, settings));
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** A connection of a test. */
  async connect(
    onError: (error: unknown, doing: string) => void = () => undefined,
    port = this.port,
  ): Promise<RedisConnection> {
    const nodes = [{ host: '127.0.0.1', port }];
    const address = { kind: 'single', nodes, tls: false } as const;
    const connection = new RedisConnection({ address, name: 'test', clock: systemClock, onError });
    await connection.connect();
    return connection;
  }

  get #stored(): string {
    return join(this.folder, 'appendonlydir');
  }

  get #backup(): string {
    return join(this.folder, 'backup');
  }

  /** Stops it in the middle of what it does, like a machine that hangs. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  /** Copies what it has stored. Its disk has every command that it has answered. */
  backUp(): void {
    cpSync(this.#stored, this.#backup, { recursive: true });
  }

  /** Restores it from the copy, like a server that was failed over to a copy that lacked its last second. */
  async restore(): Promise<void> {
    await this.kill();
    rmSync(this.#stored, { recursive: true });
    cpSync(this.#backup, this.#stored, { recursive: true });
    await this.start('kept');
  }

  /** Starts it again after `kill`. `data`: whether it still has what it had stored. */
  async start(data: 'kept' | 'lost'): Promise<void> {
    if (data === 'lost') rmSync(this.#stored, { recursive: true });
    this.#child = await launch(this.folder, this.port, this.settings);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function launch(folder: string, port: number, settings: readonly string[]): Promise<ChildProcess> {
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const stored = ['--appendonly', 'yes', '--appendfsync', 'always'];
  const child = spawn(redisProgram(), [...own, ...stored, ...settings], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  for (let tries = 0; tries < 500; tries += 1) {
    if (await takesConnections(port)) return child;
    if (child.exitCode !== null) throw new Error(`redis-server exited with ${child.exitCode}: ${said}`);
    await wait(10);
  }
  child.kill('SIGKILL');
  throw new Error(`redis-server did not start within 5 seconds: ${said}`);
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

export function redisProgram(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = folders.map((folder) => join(folder, 'redis-server')).find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error('redis-server is not installed (Debian: apt-get install redis-server)');
  }
  return found;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A cable to a port of this machine, which can be cut, or hold what goes through it. */
export class Cable {
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async to(port: number): Promise<Cable> {
    const server = createServer((near) => cable.#join(near, connect(port, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const cable = new Cable(server, (server.address() as AddressInfo).port);
    return cable;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** Nothing arrives until `release`, and nobody is told. */
  hold(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  release(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #join(near: Socket, far: Socket): void {
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one
        .setNoDelay()
        .on('error', () => undefined)
        .on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      if (this.#isCut) one.destroy();
      else one.pipe(other);
    }
  }
}
