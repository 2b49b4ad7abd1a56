import inspector from 'node:inspector';
import { Worker } from 'node:worker_threads';

/** How often this thread says that it turns, milliseconds. */
const BEAT_MS = 250;

/** What this thread and the watchdog's share: how often it has turned, and whether somebody looks at it with a debugger. */
const SHARED_WORDS = 2;

/**
 * Ends the process when its event loop has stopped turning for good: the embedded database runs in it, and a database
 * that spins answers nobody, no signal and no probe. `seconds`: how long; 0: never. What is stored stays as it is.
 *
 * It counts looks of its own at which nothing had turned, one a second, and not time. A process that is stopped, or a
 * machine that sleeps, stops the watchdog too.
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
    // Nothing that this process was started with is meant for it.
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  });
  worker.unref();
  // Without it, the process goes on as it did before there was one.
  worker.on('error', () => undefined);
}
