import { fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

/** What a library shall do, and its configuration. */
export interface Order {
  readonly library: 'modern' | 'old';
  readonly url: string;
  readonly token: string;
  /** The reference of the event that is described. */
  readonly reference: string;
  /** The identity of the session's user. */
  readonly identity: string;
}

/** What the library observed. */
export interface Report {
  /** The statuses of its batches. */
  readonly posted: readonly number[];
  /** The number of events still in its queue. */
  readonly left: number;
  /** The errors that it logged. */
  readonly errors: readonly string[];
  /** Its version of the project's settings. */
  readonly settings: number | undefined;
}

/** Runs a client library in its own process, which ends as a program does. */
export async function runLibrary(order: Order): Promise<{ report: Report; end(): Promise<void> }> {
  const child = fork(fileURLToPath(new URL('./client-library.child.ts', import.meta.url)), [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // A library may create a folder for its settings in its working directory.
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
