import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

/** The worker thread of `watchdog.ts`. */
const { shared, seconds } = workerData as { shared: Int32Array; seconds: number };
const LOOK_MS = 1000;

let last = Atomics.load(shared, 0);
let unanswered = 0;
setInterval(() => {
  const turns = Atomics.load(shared, 0);
  const isWatched = Atomics.load(shared, 1) === 1;
  unanswered = turns === last && !isWatched ? unanswered + 1 : 0;
  last = turns;
  if (unanswered < seconds) return;
  writeSync(
    2,
    `The gateway has not turned for ${seconds} seconds (WATCHDOG_SECONDS), so it ends; nothing that was stored is lost. A full disk under the embedded database is one cause.\n`,
  );
  // Not SIGTERM: its handler belongs to the thread that hangs.
  process.kill(process.pid, 'SIGKILL');
}, LOOK_MS);
