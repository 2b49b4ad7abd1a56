import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { endChild } from './child.ts';
import { OwnFolder } from './keeper.ts';

/**
 * A disk of a given size in its own namespaces. Any account may make one where the kernel allows that, and it vanishes
 * with the process that holds it.
 */
export class SmallDisk {
  private constructor(
    private readonly own: OwnFolder,
    private readonly holder: ChildProcess,
  ) {}

  static async make(mebibytes: number): Promise<SmallDisk> {
    const own = new OwnFolder('disk');
    const script = `mount -t tmpfs -o size=${mebibytes}m,mode=0755 tmpfs "$0" && echo made && exec sleep 3600`;
    const holder = spawn('unshare', ['-Urm', 'sh', '-c', script, own.path], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    own.isUsedBy(holder);
    const [first] = (await Promise.race([
      once(holder.stdout, 'data'),
      once(holder, 'exit').then(() => ['']),
      once(holder, 'error').then(() => ['']),
    ])) as [unknown];
    if (!String(first).startsWith('made'))
      throw new Error(
        'A full disk is tested on a small one, in user name spaces, which this machine does not allow',
      );
    return new SmallDisk(own, holder);
  }

  /** Its path for programs that run inside. */
  get path(): string {
    return this.own.path;
  }

  /** Its path for everybody else. */
  get seenFromOutside(): string {
    return `/proc/${this.holder.pid}/root${this.own.path}`;
  }

  /** The beginning of a command that runs inside. */
  get inside(): readonly string[] {
    return ['nsenter', '-t', String(this.holder.pid), '-U', '-m', '--preserve-credentials', '--'];
  }

  resize(mebibytes: number): void {
    const [nsenter = '', ...where] = this.inside;
    execFileSync(nsenter, [...where, 'mount', '-o', `remount,size=${mebibytes}m`, this.path]);
  }

  async remove(): Promise<void> {
    await endChild(this.holder, 'SIGKILL');
    this.own.giveBack();
  }
}
