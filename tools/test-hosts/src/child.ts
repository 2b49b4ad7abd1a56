import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Ends a child by its process id and waits until it has exited. */
export async function endChild(
  child: ChildProcess,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), 45_000);
  await exited;
  clearTimeout(late);
  return child.exitCode;
}

/** Usage is counted by the hour: waits for the next hour if this one ends within this many seconds. */
export async function hourWithRoom(seconds: number): Promise<void> {
  const left = 3_600_000 - (Date.now() % 3_600_000);
  if (left < seconds * 1000) await new Promise((resolve) => setTimeout(resolve, left + 100));
}
