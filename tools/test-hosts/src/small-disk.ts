import { execFileSync } from 'node:child_process';
import { OwnFolder } from './keeper.ts';

/** A disk of its own, as large as a test wants it. Needs an account that may mount, such as root. */
export class SmallDisk {
  readonly #own = new OwnFolder('disk');

  constructor(mebibytes: number) {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0755`, 'tmpfs', this.path], {
        stdio: 'pipe',
      });
    } catch (error) {
      throw new Error('A full disk is tested on a small one, which only an account that may mount can make', {
        cause: error,
      });
    }
  }

  get path(): string {
    return this.#own.path;
  }

  resize(mebibytes: number): void {
    execFileSync('mount', ['-o', `remount,size=${mebibytes}m`, this.path]);
  }

  remove(): void {
    execFileSync('umount', ['-l', this.path]);
    this.#own.giveBack();
  }
}
