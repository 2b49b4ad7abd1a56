import type { ApiClient } from './api-client.ts';

const SENDERS = 8;
/** How many events a load has: `npm run soak` sends more. */
export const LOAD_EVENTS = Number(process.env['LOAD_EVENTS'] ?? 1000);
/** How many stacks the load makes. */
export const LOAD_KINDS = 5;

/** Posts errors of a few kinds, one per request, from eight concurrent senders. Resolves with the status of each. */
export async function sendLoad(client: ApiClient, events: number): Promise<number[]> {
  let next = 0;
  const statuses: number[] = [];
  await Promise.all(
    Array.from({ length: SENDERS }, async () => {
      for (let mine = next++; mine < events; mine = next++) {
        const message = `Load of kind ${'abcde'[mine % LOAD_KINDS]}`;
        const response = await client.call('POST', '/events', { type: 'error', message });
        await response.arrayBuffer();
        statuses.push(response.status);
      }
    }),
  );
  return statuses;
}
