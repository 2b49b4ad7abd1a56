import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./keeper.mjs', import.meta.url));

/**
 * A new, empty folder of one host. If this process ends without removing it, for whatever reason, a keeper process
 * ends the host and removes the folder, so that a killed run leaves nothing behind.
 */
export class OwnFolder {
  readonly path: string;

  constructor(purpose: string) {
    this.path = mkdtempSync(join(tmpdir(), `crossfade-${purpose}-`));
    tellKeeper({ folder: this.path });
  }

  /** Names the process that works in it. A negative number names a group of processes. */
  isUsedBy({ pid }: Pick<ChildProcess, 'pid'>): void {
    tellKeeper({ folder: this.path, pid });
  }

  /** Removes it, after that process has exited. */
  giveBack(): void {
    rmSync(this.path, { recursive: true, force: true });
    tellKeeper({ folder: this.path, done: true });
  }
}

let keeper: ChildProcess | undefined;

function tellKeeper(news: { folder: string; pid?: number | undefined; done?: true }): void {
  keeper ??= startKeeper();
  keeper.stdin?.write(`${JSON.stringify(news)}\n`);
}

/** In its own session, so that a signal that ends this process does not end the keeper, too. */
function startKeeper(): ChildProcess {
  const child = spawn(process.execPath, [script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  child.unref();
  (child.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return child;
}
