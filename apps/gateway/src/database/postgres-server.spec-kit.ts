import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readSettings } from '../process/settings.js';
import { openDatabase, type OpenDatabase } from './database.js';

/** A real PostgreSQL in a folder of its own, on a free loopback port. */
export class PostgresServer {
  private constructor(
    private readonly folder: string,
    readonly port: number,
    private readonly child: ChildProcess,
  ) {}

  static async start(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'crossfade-postgres-'));
    const who = account();
    if (who.uid !== undefined && who.gid !== undefined) chownSync(folder, who.uid, who.gid);
    const data = join(folder, 'data');
    const how = ['-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-sync', '-D', data];
    execFileSync(join(binaries(), 'initdb'), how, { ...who, stdio: 'pipe', cwd: folder });
    const port = await freePort();
    const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'fsync=off', 'max_connections=200'];
    const child = spawn(
      join(binaries(), 'postgres'),
      ['-D', data, '-k', folder, ...settings.flatMap((setting) => ['-c', setting])],
      { ...who, stdio: 'ignore', cwd: folder },
    );
    const server = new PostgresServer(folder, port, child);
    await server.#starts();
    return server;
  }

  /** Creates a database. @returns its URL */
  newDatabase(): string {
    const name = `test_${randomBytes(8).toString('hex')}`;
    this.#run('createdb', name);
    return `postgres://postgres@127.0.0.1:${this.port}/${name}`;
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    // Its fast shutdown, which cuts connections.
    this.child.kill('SIGINT');
    await exited;
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #starts(): Promise<void> {
    for (let tries = 0; tries < 300; tries += 1) {
      if (this.child.exitCode !== null) throw new Error(`PostgreSQL exited with ${this.child.exitCode}`);
      try {
        this.#run('pg_isready', '-q');
        return;
      } catch {
        await wait(100);
      }
    }
    this.child.kill('SIGKILL');
    throw new Error('PostgreSQL did not start within 30 seconds');
  }

  #run(program: string, ...given: readonly string[]): void {
    const own = ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres'];
    execFileSync(join(binaries(), program), [...own, ...given], { stdio: 'pipe' });
  }
}

/** As a gateway opens it. */
export const openPostgres = (url: string): Promise<OpenDatabase> =>
  openDatabase(readSettings({ DATABASE_URL: url, LOG_LEVEL: 'silent' }));

function binaries(): string {
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

/** PostgreSQL refuses to run as root. In that case, it runs as the account of its package. */
function account(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
