import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A kind of body, which `flood.child.ts` builds. */
export type FloodBody =
  'few' | 'many' | 'small' | 'long' | 'frames' | 'values' | 'large' | 'description' | 'empty';

/** One kind of request, sent by `atOnce` senders: each sends it once, or repeatedly for `milliseconds`. */
export interface FloodOrder {
  readonly url: string;
  readonly token: string;
  readonly method?: 'GET' | 'POST';
  readonly body?: FloodBody;
  readonly atOnce: number;
  readonly milliseconds?: number;
}

/** Sends requests from a process of its own, so that this work does not count in what is measured. Resolves with the statuses. */
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
