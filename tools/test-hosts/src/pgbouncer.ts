import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@crossfade/protocol/testing';
import { endChild } from './child.ts';
import { OwnFolder } from './keeper.ts';
import { freePort, takesConnections } from './ports.ts';
import { account } from './postgres.ts';
import { findProgram } from './program.ts';

/** A real PgBouncer in transaction mode, otherwise with its defaults, in front of the PostgreSQL at a port. */
export class PgBouncerHost {
  private constructor(
    private readonly child: ChildProcess,
    private readonly own: OwnFolder,
    readonly port: number,
  ) {}

  static async start(
    postgresPort: number,
    settings: Readonly<Record<string, string | number>> = {},
  ): Promise<PgBouncerHost> {
    const own = new OwnFolder('pgbouncer');
    const who = account();
    const port = await freePort();
    const users = join(own.path, 'users.txt');
    writeFileSync(users, '"postgres" ""\n');
    const lines = {
      listen_addr: '127.0.0.1',
      listen_port: port,
      unix_socket_dir: '',
      auth_type: 'trust',
      auth_file: users,
      pool_mode: 'transaction',
      ...settings,
    };
    const file = join(own.path, 'pgbouncer.ini');
    writeFileSync(
      file,
      [
        '[databases]',
        `* = host=127.0.0.1 port=${postgresPort}`,
        '[pgbouncer]',
        ...Object.entries(lines).map(([name, value]) => `${name} = ${value}`),
        '',
      ].join('\n'),
    );
    if (who.uid !== undefined && who.gid !== undefined)
      for (const path of [own.path, users, file]) chownSync(path, who.uid, who.gid);
    const child = spawn(binary(), [file], { ...who, stdio: 'ignore', cwd: own.path });
    own.isUsedBy(child);
    await eventually('PgBouncer', () => takesConnections(port), 30_000);
    return new PgBouncerHost(child, own, port);
  }

  /** The URL of the same database through this pooler. */
  through(url: string): string {
    const own = new URL(url);
    own.port = String(this.port);
    return own.href;
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async stop(): Promise<void> {
    await endChild(this.child, 'SIGTERM');
    this.own.giveBack();
  }
}

const binary = (): string =>
  findProgram({ name: 'PgBouncer', files: ['pgbouncer'], setting: 'PGBOUNCER_PATH', package: 'pgbouncer' });
