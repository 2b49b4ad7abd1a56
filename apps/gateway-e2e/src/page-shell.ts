import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { eventually } from '@crossfade/protocol/testing';
import { account, OwnFolder, postgresPrograms } from '@crossfade/test-hosts';

/** How long a block of commands may take. */
const BLOCK_MS = 180_000;

/** A POSIX shell that runs the commands of a page, in an empty folder beside a clone named `crossfade`. */
export class PageShell {
  readonly #own = new OwnFolder('page');
  readonly #child: ChildProcess;
  #said = '';
  #blocks = 0;

  constructor(clone: string) {
    const folder = join(this.#own.path, 'empty');
    mkdirSync(folder);
    symlinkSync(clone, join(this.#own.path, 'crossfade'));
    const programs = [this.#programs(folder), dirname(process.execPath)];
    this.#child = spawn('sh', ['-eu'], {
      cwd: folder,
      // A group of its own, so that whatever it has started can be ended, and looked for.
      detached: true,
      stdio: 'pipe',
      env: { PATH: [...programs, process.env['PATH']].join(delimiter), HOME: folder },
    });
    this.#own.isUsedBy({ pid: -(this.#child.pid ?? 0) });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    }
    this.#child.stdin?.on('error', () => undefined);
  }

  /** Runs commands. @returns what they print. @throws with it, if one of them fails */
  async run(commands: string): Promise<string> {
    const before = this.#said.length;
    const mark = `done with block ${(this.#blocks += 1)}`;
    this.#child.stdin?.write(`${commands}\necho '${mark}'\n`);
    await eventually(
      mark,
      () => {
        if (this.#child.exitCode !== null) throw new Error(`The commands failed: ${this.#said}`);
        return this.#said.includes(mark) || undefined;
      },
      BLOCK_MS,
    );
    return this.#said.slice(before).replace(mark, '').trim();
  }

  /** Waits until it and whatever it has started have ended. @throws if they do not within ten seconds */
  async ended(): Promise<void> {
    this.#child.stdin?.end();
    await eventually('end of all that was started', () => !this.#signal(0) || undefined);
  }

  /** Ends it, and every process that it has started. */
  async stop(): Promise<void> {
    this.#signal('SIGKILL');
    await eventually('end of the shell', () => !this.#signal(0) || undefined);
    this.#own.giveBack();
  }

  /** @returns whether any process of its group is there */
  #signal(signal: NodeJS.Signals | 0): boolean {
    try {
      return process.kill(-(this.#child.pid ?? 0), signal);
    } catch {
      return false;
    }
  }

  /** PostgreSQL does not run as root. Then its programs run as the account of its package. */
  #programs(folder: string): string {
    const { uid, gid } = account();
    if (uid === undefined || gid === undefined) return postgresPrograms();
    const programs = join(this.#own.path, 'programs');
    mkdirSync(programs);
    for (const name of ['initdb', 'postgres']) {
      const file = join(programs, name);
      writeFileSync(
        file,
        `#!/bin/sh\nexec setpriv --reuid=${uid} --regid=${gid} --clear-groups ${join(postgresPrograms(), name)} "$@"\n`,
      );
      chmodSync(file, 0o755);
    }
    // Its data goes into a folder of the one in which the commands run.
    chmodSync(this.#own.path, 0o755);
    chownSync(folder, uid, gid);
    return programs;
  }
}
