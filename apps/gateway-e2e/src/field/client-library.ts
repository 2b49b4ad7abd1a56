import { fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

/** What a library is to do, and with what. */
export interface Order {
  readonly library: 'modern' | 'old';
  readonly url: string;
  readonly token: string;
  /** Of the event that is described. */
  readonly reference: string;
  /** Of the user whose session it is. */
  readonly identity: string;
}

/** What it saw. */
export interface Report {
  /** The statuses of its batches. */
  readonly posted: readonly number[];
  /** Events that are still in its queue. */
  readonly left: number;
  /** What it logged as an error. */
  readonly errors: readonly string[];
  /** The version of the project's settings that it has. */
  readonly settings: number | undefined;
}

/** Runs a client library in a process of its own, which ends as a program does. */
export async function runLibrary(order: Order): Promise<{ report: Report; end(): Promise<void> }> {
  const child = fork(fileURLToPath(new URL('./client-library.child.ts', import.meta.url)), [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // A library may keep a folder for its settings wherever it runs.
    cwd: tmpdir(),
  });
  const exited = once(child, 'exit');
  child.send(order);
  const [report] = (await once(child, 'message')) as [Report];
  return {
    report,
    async end() {
      child.disconnect();
      await exited;
    },
  };
}
