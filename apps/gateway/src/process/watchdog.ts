import inspector from 'node:inspector';
import { Worker } from 'node:worker_threads';

/** How often this thread signals that its event loop turns, milliseconds. */
const BEAT_MS = 250;

/** What this thread shares with the watchdog's: a count of its signals, and whether a debugger is attached. */
const SHARED_WORDS = 2;

/**
 * Kills the process when its event loop has stopped turning for `seconds`; 0: never. The embedded database runs in the
 * event loop, and while it spins, the process answers no request, no signal and no probe. Stored data is not affected.
 *
 * The watchdog checks once a second, and counts checks without a signal rather than time: a process that is stopped, or
 * a machine that sleeps, stops the watchdog too.
 */
export function watchEventLoop(seconds: number): void {
  if (seconds === 0) return;
  const shared = new Int32Array(new SharedArrayBuffer(SHARED_WORDS * Int32Array.BYTES_PER_ELEMENT));
  const beat = (): void => {
    Atomics.add(shared, 0, 1);
    Atomics.store(shared, 1, inspector.url() === undefined ? 0 : 1);
  };
  beat();
  setInterval(beat, BEAT_MS).unref();
  const worker = new Worker(new URL('./watchdog.worker.js', import.meta.url), {
    workerData: { shared, seconds },
    // The process' own arguments and environment are not meant for the worker.
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  });
  worker.unref();
  // Without the worker, the process goes on unwatched.
  worker.on('error', () => undefined);
}
