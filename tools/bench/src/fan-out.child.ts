import { connect, type Socket } from 'node:net';
import { cpuUsage } from 'node:process';
import type { Delays, FanOutOrder } from './fan-out-load.ts';

/*
 * The process of a `FanOutLoad`: reads streams as cheaply as possible, because it shares the machine with the
 * measured server. Each message carries the time at which it was published.
 */
const END = Buffer.from('\n\n');
const AT = Buffer.from('"at":');
/** How many streams are opened at once. */
const AT_ONCE = 100;
const WAIT_MS = 60_000;
const LONGEST_US = 20_000_000;
const SLOT_US = 100;

const sockets: Socket[] = [];
let counts = new Uint32Array(LONGEST_US / SLOT_US + 1);
let deliveries = 0;
let cpu = cpuUsage();
let since = process.hrtime.bigint();

const now = (): number => (performance.timeOrigin + performance.now()) * 1000;

function open(port: number, head: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(head));
    let rest: Buffer | undefined;
    let isOpen = false;
    sockets.push(socket);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`a stream ended: ${rest?.toString() ?? ''}`)));
    socket.on('data', (chunk: Buffer) => {
      const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
      if (!isOpen && bytes.indexOf(END) !== -1) {
        isOpen = true;
        resolve();
      }
      const end = bytes.lastIndexOf(END);
      rest = end === bytes.length - 2 || end === bytes.length - 4 ? undefined : bytes.subarray(end + 1);
      for (let at = bytes.indexOf(AT); at !== -1 && at < end; at = bytes.indexOf(AT, at + 1))
        count(bytes, at);
    });
  });
}

/** Parses digits by hand: a string for each of millions of messages would cost more than everything else. */
function count(bytes: Buffer, at: number): void {
  let published = 0;
  for (let index = at + AT.length; ; index += 1) {
    const digit = (bytes[index] ?? 0) - 48;
    if (digit < 0 || digit > 9) break;
    published = published * 10 + digit;
  }
  const slot = Math.min(counts.length - 1, Math.max(0, Math.round((now() - published) / SLOT_US)));
  counts[slot] = (counts[slot] ?? 0) + 1;
  deliveries += 1;
}

async function openAll({ port, head, streams }: FanOutOrder & { do: 'open' }): Promise<void> {
  let left = streams;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) await open(port, head);
    }),
  );
}

/** What arrived since the last report, as soon as it is so much. */
async function measure(wanted: number): Promise<Delays> {
  for (const until = Date.now() + WAIT_MS; deliveries < wanted && Date.now() < until;)
    await new Promise((resolve) => setTimeout(resolve, 50));
  const at = (share: number): number => {
    let left = deliveries * share;
    return (counts.findIndex((slot) => (left -= slot) <= 0) * SLOT_US) / 1000;
  };
  const { user, system } = cpuUsage(cpu);
  const elapsed = Number(process.hrtime.bigint() - since) / 1000;
  const delays = { deliveries, p50: at(0.5), p99: at(0.99), cpuShare: (user + system) / elapsed };
  counts = new Uint32Array(counts.length);
  deliveries = 0;
  cpu = cpuUsage();
  since = process.hrtime.bigint();
  return delays;
}

process.on('message', (order: FanOutOrder) => {
  const done = (answer: unknown): void => void process.send?.(answer);
  if (order.do === 'measure') return void measure(order.deliveries).then(done);
  openAll(order).then(
    () => done({}),
    (error: unknown) => done({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
