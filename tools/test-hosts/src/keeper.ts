import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./keeper.mjs', import.meta.url));

/**
 * A folder that is one host's own, new and empty. Should this process end without having given it back, however that
 * happens, a keeper beside it ends the host and removes the folder, so that a run that was killed leaves nothing.
 */
export class OwnFolder {
  readonly path: string;

  constructor(purpose: string) {
    this.path = mkdtempSync(join(tmpdir(), `crossfade-${purpose}-`));
    tellKeeper({ folder: this.path });
  }

  /** Says which process works in it. */
  isUsedBy(child: ChildProcess): void {
    tellKeeper({ folder: this.path, pid: child.pid });
  }

  /** After that process has exited. */
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

/** In a session of its own, so that whatever ends this process does not end it too. */
function startKeeper(): ChildProcess {
  const child = spawn(process.execPath, [script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  child.unref();
  (child.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return child;
}
