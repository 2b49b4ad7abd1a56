import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { endChild } from './child.ts';
import { eventually } from '@crossfade/protocol/testing';
import { OwnFolder } from './keeper.ts';
import { freePort } from './ports.ts';

/** A real PostgreSQL in its own folder, on a free loopback port. */
export class PostgresHost {
  #server: ChildProcess;

  private constructor(
    private readonly run: () => ChildProcess,
    private readonly own: OwnFolder,
    private readonly bin: string,
    readonly port: number,
  ) {
    this.#server = run();
    own.isUsedBy(this.#server);
  }

  /** `durable`: a commit waits for the disk, as in production. Most tests need not wait. */
  static async start({ durable = false } = {}): Promise<PostgresHost> {
    const bin = postgresPrograms();
    const own = new OwnFolder('postgres');
    const who = account();
    if (who.uid !== undefined && who.gid !== undefined) chownSync(own.path, who.uid, who.gid);
    const data = join(own.path, 'data');
    execFileSync(
      join(bin, 'initdb'),
      ['-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-sync', '-D', data],
      { ...who, stdio: 'pipe', cwd: own.path },
    );
    for (let attempt = 1; ; attempt += 1) {
      const port = await freePort();
      const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'max_connections=200'];
      if (!durable) settings.push('fsync=off');
      const run = () =>
        spawn(
          join(bin, 'postgres'),
          ['-D', data, '-k', own.path, ...settings.flatMap((setting) => ['-c', setting])],
          { ...who, stdio: 'ignore', cwd: own.path },
        );
      const host = new PostgresHost(run, own, bin, port);
      try {
        await eventually('PostgreSQL', () => host.#isReady(), 30_000);
        return host;
      } catch (error) {
        // Another program may have taken the port that was free a moment ago.
        await endChild(host.#server, 'SIGINT');
        if (attempt === 3) throw error;
      }
    }
  }

  get pid(): number {
    return this.#server.pid ?? 0;
  }

  get folder(): string {
    return this.own.path;
  }

  async stop(): Promise<void> {
    await this.end('SIGINT');
    this.own.giveBack();
  }

  /** SIGINT is its "fast" shutdown, which cuts connections instead of waiting for them; SIGQUIT is "immediate"; SIGKILL is a crash. */
  async end(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> {
    await endChild(this.#server, signal);
  }

  /** Starts it again after its end, with the data that it has stored. */
  async startAgain(): Promise<void> {
    await eventually(
      'PostgreSQL again',
      () => {
        // After a crash, its orphans live for a moment, and it does not start while they do.
        if (this.#server.exitCode !== null || this.#server.signalCode !== null) {
          this.#server = this.run();
          this.own.isUsedBy(this.#server);
        }
        return this.#answers();
      },
      30_000,
    );
  }

  #isReady(): true | undefined {
    if (this.#server.exitCode !== null) throw new Error(`PostgreSQL exited with ${this.#server.exitCode}`);
    return this.#answers();
  }

  #answers(): true | undefined {
    try {
      execFileSync(join(this.bin, 'pg_isready'), [
        '-q',
        '-h',
        '127.0.0.1',
        '-p',
        String(this.port),
        '-U',
        'postgres',
      ]);
      return true;
    } catch {
      return undefined;
    }
  }
}

/** Creates an empty database on the PostgreSQL at that port. */
export function newDatabase(port: number): string {
  const name = `test_${randomBytes(8).toString('hex')}`;
  execFileSync(join(postgresPrograms(), 'createdb'), [
    '-h',
    '127.0.0.1',
    '-p',
    String(port),
    '-U',
    'postgres',
    name,
  ]);
  return `postgres://postgres@127.0.0.1:${port}/${name}`;
}

/** Drops a database, and ends the connections that use it. */
export function dropDatabase(url: string): void {
  const { port, pathname } = new URL(url);
  runSql(`postgres://postgres@127.0.0.1:${port}/postgres`, `DROP DATABASE ${pathname.slice(1)} WITH (FORCE)`);
}

/** Runs SQL, for what no request can change, such as the past, or read. */
export function runSql(url: string, statement: string): string {
  return execFileSync(
    join(postgresPrograms(), 'psql'),
    ['-qAt', '-v', 'ON_ERROR_STOP=1', '-c', statement, url],
    {
      encoding: 'utf8',
    },
  );
}

/** The folder of initdb and its siblings. */
export function postgresPrograms(): string {
  const versions = '/usr/lib/postgresql';
  const found = [
    process.env['POSTGRES_BIN'] ?? '',
    ...(existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, 'bin')) : []),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ].find((folder) => folder !== '' && existsSync(join(folder, 'initdb')));
  if (found === undefined)
    throw new Error('PostgreSQL is not installed: set POSTGRES_BIN to the folder of initdb');
  return found;
}

/** PostgreSQL and PgBouncer refuse to run as root. In that case, they run as the account of PostgreSQL's package. */
export function account(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Starts SQL that takes time, such as holding a lock. The returned function ends it, on the server too. */
export function startSql(url: string, statement: string): () => Promise<unknown> {
  const name = `sql ${randomBytes(4).toString('hex')}`;
  const env = { ...process.env, PGAPPNAME: name };
  const child = spawn(join(postgresPrograms(), 'psql'), ['-qAt', '-c', statement, url], {
    stdio: 'ignore',
    env,
  });
  return () => {
    runSql(
      url,
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '${name}'`,
    );
    return endChild(child);
  };
}
