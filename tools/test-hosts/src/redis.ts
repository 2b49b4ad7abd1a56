import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@crossfade/protocol/testing';
import { endChild } from './child.ts';
import { OwnFolder } from './keeper.ts';
import { freePort, takesConnections } from './ports.ts';
import { findProgram } from './program.ts';

const page = fileURLToPath(new URL('../../../docs/operations/redis.md', import.meta.url));
const SECRET = 'of-redis-in-tests';

/** The `user` line of the documentation, with our secret and prefix. */
function documentedUser(prefix: string): string {
  const [line] = /^user crossfade .*$/m.exec(readFileSync(page, 'utf8')) ?? [];
  if (line === undefined)
    throw new Error('docs/operations/redis.md has no line that starts with "user crossfade"');
  return line
    .replace('SECRET', SECRET)
    .replaceAll('~{crossfade}', `~{${prefix}}`)
    .replace('~crossfade', `~${prefix}`);
}

export interface RedisHostOptions {
  /** The `REDIS_PREFIX` that the documented user may use. Default `crossfade`. */
  readonly prefix?: string;
  /** Further settings, as on the command line of redis-server. */
  readonly settings?: readonly string[];
  /** It speaks TLS only, with a certificate of its own. */
  readonly tls?: true;
}

/**
 * A real redis-server on a free port. It has the user of the documentation and no other who may log in; what it stores is
 * on disk before it answers.
 */
export class RedisHost {
  #child: ChildProcess;

  private constructor(
    private readonly own: OwnFolder,
    readonly port: number,
    private readonly options: RedisHostOptions,
  ) {
    this.#child = this.#launch();
  }

  static async start(options: RedisHostOptions = {}): Promise<RedisHost> {
    const host = new RedisHost(new OwnFolder('redis'), await freePort(), options);
    await host.#listens();
    return host;
  }

  /** With the documented user and its password. */
  get url(): string {
    return `${this.options.tls === undefined ? 'redis' : 'rediss'}://crossfade:${SECRET}@127.0.0.1:${this.port}`;
  }

  /** The file of the authority that its certificate is from. */
  get authority(): string {
    return join(this.own.path, 'certificate.pem');
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

  /** Starts it again after `kill`, with or without what it had stored. */
  async start(data: 'kept' | 'lost'): Promise<void> {
    if (data === 'lost') {
      for (const name of ['dump.rdb', 'appendonlydir'])
        rmSync(join(this.own.path, name), { recursive: true, force: true });
    }
    this.#child = this.#launch();
    await this.#listens();
  }

  /** Runs a command as a user who may do everything, and returns what it answers. */
  run(...command: readonly string[]): Promise<string> {
    const cli = findProgram({ name: 'redis-cli', files: ['redis-cli'], package: 'redis-tools' });
    const child = spawn(cli, [
      '-p',
      String(this.port),
      '--user',
      'operator',
      '--pass',
      SECRET,
      '--no-auth-warning',
      ...command,
    ]);
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    return once(child, 'exit').then(() => said.trim());
  }

  async stop(): Promise<void> {
    this.resume();
    await endChild(this.#child, 'SIGKILL');
    this.own.giveBack();
  }

  #launch(): ChildProcess {
    const file = join(this.own.path, 'redis.conf');
    const lines = [
      ...(this.options.tls === undefined ? [`port ${this.port}`] : this.#tls()),
      'bind 127.0.0.1',
      `dir ${this.own.path}`,
      'save ""',
      'appendonly yes',
      'appendfsync always',
      documentedUser(this.options.prefix ?? 'crossfade'),
      `user operator on >${SECRET} ~* &* +@all`,
      // Off, but with its rights: a server that starts replays transactions and scripts as this user.
      'user default off ~* &* +@all',
    ];
    writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    const program = findProgram({ name: 'Redis', files: ['redis-server'], package: 'redis-server' });
    const child = spawn(program, [file, ...(this.options.settings ?? [])], { stdio: 'ignore' });
    this.own.isUsedBy(child);
    return child;
  }

  #tls(): readonly string[] {
    const key = join(this.own.path, 'key.pem');
    if (!existsSync(key)) {
      const certificate = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'];
      const names = ['-addext', 'subjectAltName=IP:127.0.0.1'];
      execFileSync('openssl', ['req', ...certificate, ...names, '-keyout', key, '-out', this.authority], {
        stdio: 'ignore',
      });
    }
    return [
      'port 0',
      `tls-port ${this.port}`,
      `tls-cert-file ${this.authority}`,
      `tls-key-file ${key}`,
      'tls-auth-clients no',
    ];
  }

  async #listens(): Promise<void> {
    await eventually('Redis', () => takesConnections(this.port), 30_000);
  }
}
