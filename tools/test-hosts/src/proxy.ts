import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@crossfade/protocol/testing';
import { endChild } from './child.ts';
import { OwnFolder } from './keeper.ts';
import { freePort } from './ports.ts';
import { findProgram, type Program } from './program.ts';

/** A proxy program, and how it is configured to stand in front of a gateway. */
export interface ProxyProgram extends Program {
  /** `behind`: the gateway's host and port. `mark`: a path that it answers itself. Everything that it writes goes into the folder. */
  configuration(place: {
    readonly folder: string;
    readonly port: number;
    readonly behind: string;
    readonly mark: string;
  }): string;
  arguments(place: { readonly folder: string; readonly file: string }): readonly string[];
}

/** A real proxy in front of a gateway, with its defaults except for what its configuration sets. */
export class ProxyHost {
  private constructor(
    private readonly child: ChildProcess,
    private readonly own: OwnFolder,
    readonly url: string,
  ) {}

  static async start(program: ProxyProgram, gateway: string): Promise<ProxyHost> {
    const path = findProgram(program);
    for (let attempt = 1; ; attempt += 1) {
      const own = new OwnFolder(program.name.toLowerCase());
      const port = await freePort();
      const file = join(own.path, 'configuration');
      const mark = `/${randomUUID()}`;
      writeFileSync(
        file,
        program.configuration({ folder: own.path, port, behind: new URL(gateway).host, mark }),
      );
      const child = spawn(path, program.arguments({ folder: own.path, file }), {
        cwd: own.path,
        stdio: ['ignore', 'ignore', 'pipe'],
        // Caddy keeps its data in the user's home folder.
        env: { ...process.env, HOME: own.path, XDG_CONFIG_HOME: own.path, XDG_DATA_HOME: own.path },
      });
      own.isUsedBy(child);
      const host = new ProxyHost(child, own, `http://127.0.0.1:${port}`);
      try {
        await host.#answers(program.name, mark);
        return host;
      } catch (error) {
        // Another program may have taken the port that was free a moment ago.
        await host.stop();
        if (attempt === 3) throw error;
      }
    }
  }

  /** Waits until this proxy answers, and not another program at its port. */
  async #answers(name: string, mark: string): Promise<void> {
    const { child, url } = this;
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    await eventually(
      name,
      async () => {
        if (child.exitCode !== null) throw new Error(`${name} exited with ${child.exitCode}: ${said}`);
        const answer = await fetch(url + mark).catch(() => undefined);
        return answer?.status === 204 || undefined;
      },
      30_000,
    );
  }

  async stop(): Promise<void> {
    await endChild(this.child, 'SIGKILL');
    this.own.giveBack();
  }
}
