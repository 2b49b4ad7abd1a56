import type { FloodBody, FloodOrder } from './flood.ts';

const BATCH = 50_000;
const letters = (number: number): string =>
  [...String(number)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
const events = (count: number, make: (index: number) => object) =>
  JSON.stringify(Array.from({ length: count }, (_, index) => make(index)));
const hyphens = '-'.repeat(80_000);

/** Built when they are sent. */
const bodies: Readonly<Record<FloodBody, () => string>> = {
  few: () =>
    events(BATCH, (index) => ({
      type: 'error',
      message: `Order ${index} of ${letters(index % 40)}`,
      tags: ['a'],
    })),
  many: () => events(BATCH, (index) => ({ message: `one ${letters(index)}` })),
  small: () => '{"message":"small"}',
  long: () => events(100, () => ({ message: hyphens })),
  frames: () =>
    JSON.stringify({ data: { '@error': { stack_trace: [{ file_name: hyphens, name: hyphens }] } } }),
  values: () => `{"data":{"a":[${'[],'.repeat(1_000_000)}[]]}}`,
  large: () => JSON.stringify({ data: { text: 'x'.repeat(2_000_000) } }),
  description: () => JSON.stringify({ description: 'x'.repeat(9000) }),
  empty: () => `[${'{},'.repeat(60_000)}{}]`,
};

async function send(
  { url, token, method = 'POST', body }: FloodOrder,
  text: string | undefined,
): Promise<number> {
  const response = await fetch(url, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(text === undefined ? {} : { body: text }),
  });
  await response.arrayBuffer();
  return response.status;
}

async function run(order: FloodOrder): Promise<number[]> {
  const text = order.body === undefined ? undefined : bodies[order.body]();
  const until = performance.now() + (order.milliseconds ?? 0);
  const statuses: number[] = [];
  await Promise.all(
    Array.from({ length: order.atOnce }, async () => {
      do statuses.push(await send(order, text));
      while (performance.now() < until);
    }),
  );
  return statuses;
}

process.once('message', (orders: FloodOrder[]) => {
  void Promise.all(orders.map(run)).then((statuses) => process.send?.(statuses.flat()));
});
