import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FloodBody } from './flood.child.ts';

/** One kind of request, sent by so many at once: each once, or again and again until the time is over. */
export interface FloodOrder {
  readonly url: string;
  readonly token: string;
  readonly method?: 'GET' | 'POST';
  readonly body?: FloodBody;
  readonly atOnce: number;
  readonly milliseconds?: number;
}

/** Sends requests from a process of its own, so that what is measured here is not this work. Resolves with the statuses. */
export async function flood(orders: readonly FloodOrder[]): Promise<number[]> {
  const child = fork(fileURLToPath(new URL('./flood.child.ts', import.meta.url)), [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const exited = once(child, 'exit');
  child.send(orders);
  const [statuses] = (await once(child, 'message')) as [number[]];
  child.disconnect();
  await exited;
  return statuses;
}
