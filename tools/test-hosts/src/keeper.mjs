/* Started by keeper.ts: waits for the end of its parent, then ends the hosts and removes the folders that it left. */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

const GRACE_MS = 5000;

/** Folders with the process that works in each. */
const kept = new Map();

for await (const line of createInterface({ input: process.stdin })) {
  const { folder, pid, done } = JSON.parse(line);
  if (done) kept.delete(folder);
  else kept.set(folder, pid);
}
await Promise.all(
  [...kept].map(async ([folder, pid]) => {
    if (pid !== undefined) await end(pid);
    rmSync(folder, { recursive: true, force: true });
  }),
);

async function end(pid) {
  // For PostgreSQL this is a fast shutdown; the gateway has noticed by itself that it is alone.
  signal(pid, 'SIGINT');
  for (const deadline = Date.now() + GRACE_MS; Date.now() < deadline; await wait(50)) {
    if (!signal(pid, 0)) return;
  }
  signal(pid, 'SIGKILL');
  await wait(100);
}

function signal(pid, name) {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
