import { randomUUID } from 'node:crypto';
import { FanOutLoad } from './fan-out-load.ts';
import { contestant, contestants, type Contestant } from './contestants.ts';
import { median, round } from './figures.ts';

export interface FanOutSize {
  /** Streams that get every message. */
  readonly streams: number;
  /** How long each pattern runs, in seconds. */
  readonly seconds: number;
  readonly rounds: number;
  /** Idle streams, for their memory. */
  readonly idle: number;
}

/** Bytes of a message on the wire. */
const PAYLOAD = 250;
/** Requests per second, and messages per request. */
const patterns = {
  'single messages': { perSecond: 20, burst: 1 },
  'bursts of ten': { perSecond: 3, burst: 10 },
} as const;
type PatternName = keyof typeof patterns;
interface Pattern {
  readonly perSecond: number;
  readonly burst: number;
}

/** Few streams get messages often, so that there is something to measure. */
const FEW_PATTERN: Pattern = { perSecond: 100, burst: 1 };

interface Sample {
  /** Server CPU in microseconds per delivery, without the cost of publishing to nobody. */
  readonly cpu: number;
  readonly p50: number;
  readonly p99: number;
  readonly loadShare: number;
}

/** Sends the same messages to the same number of streams of one server after the other, in several rounds. */
export async function measureFanOut(size: FanOutSize): Promise<Record<string, unknown>[]> {
  const samples = new Map<string, Sample[]>();
  for (let turn = 0; turn < size.rounds; turn += 1) {
    for (const name of Object.keys(contestants)) {
      for (const [pattern, sample] of await measureOne(name, size)) {
        const key = `${pattern} ${name}`;
        samples.set(key, [...(samples.get(key) ?? []), sample]);
      }
    }
  }
  const medianOf = (key: string, of: keyof Sample): number =>
    median((samples.get(key) ?? []).map((sample) => sample[of]));
  return Object.keys(patterns).flatMap((pattern) =>
    Object.keys(contestants).map((name) => {
      const key = `${pattern} ${name}`;
      const ratio = (to: string) => twoDigits(medianOf(key, 'cpu') / medianOf(`${pattern} ${to}`, 'cpu'));
      return {
        messages: pattern,
        server: name,
        'CPU per delivery, µs': twoDigits(medianOf(key, 'cpu')),
        'of stock': ratio('stock'),
        'of the floor': ratio('floor'),
        'of one gateway': ratio('gateway'),
        ...('before' in contestants ? { 'of before': ratio('before') } : {}),
        'delay p50, ms': round(medianOf(key, 'p50')),
        'p99, ms': round(medianOf(key, 'p99')),
        'load, % of a core': Math.round(medianOf(key, 'loadShare') * 100),
      };
    }),
  );
}

async function measureOne(name: string, size: FanOutSize): Promise<[PatternName, Sample][]> {
  const server = await contestant(name, size.streams);
  const load = new FanOutLoad();
  try {
    // Warms up, so that the first measurement does not include compilation.
    for (const pattern of Object.values(patterns)) await send(server, pattern, size.seconds / 2);
    const base = new Map<PatternName, number>();
    for (const pattern of Object.keys(patterns) as PatternName[]) {
      base.set(pattern, (await send(server, patterns[pattern], size.seconds)).cpuPerMessage);
    }
    await load.open(server.stream, server.headers, size.streams);
    for (const pattern of Object.values(patterns)) await send(server, pattern, size.seconds / 3);
    await server.collectGarbage(size.seconds * 100);
    const idlePerSecond = await idle(server, size.seconds);
    const found: [PatternName, Sample][] = [];
    for (const pattern of Object.keys(patterns) as PatternName[]) {
      await load.measure();
      const { messages, cpuPerMessage } = await send(server, patterns[pattern], size.seconds, idlePerSecond);
      const { deliveries, p50, p99, cpuShare } = await load.measure(messages * size.streams);
      if (deliveries !== messages * size.streams) {
        throw new Error(
          `${name}: ${deliveries} deliveries of ${messages} messages to ${size.streams} streams`,
        );
      }
      const cpu = (cpuPerMessage - (base.get(pattern) ?? 0)) / size.streams;
      found.push([pattern, { cpu, p50, p99, loadShare: cpuShare }]);
    }
    return found;
  } finally {
    await load.stop();
    await server.stop();
  }
}

/**
 * A message to ten streams, alone and among very many others. Each server is warmed up with as much publishing as is
 * measured, and measured long enough that its periodic work evens out.
 */
export async function measureFewOfMany(size: FanOutSize): Promise<Record<string, unknown>[]> {
  const FEW = 10;
  const seconds = size.seconds * 2;
  const samples = new Map<number, number[]>([
    [0, []],
    [size.idle, []],
  ]);
  for (let turn = 0; turn < size.rounds; turn += 1) {
    for (const [others, found] of samples) {
      const server = await contestant('gateway', size.idle);
      const bystanders = new FanOutLoad();
      const load = new FanOutLoad();
      try {
        await load.open(server.stream, server.headers, FEW);
        if (others > 0) await bystanders.open(server.stream, server.bystanders, others);
        await send(server, FEW_PATTERN, seconds);
        await server.collectGarbage(size.seconds * 100);
        const idlePerSecond = await idle(server, seconds);
        found.push((await send(server, FEW_PATTERN, seconds, idlePerSecond)).cpuPerMessage);
      } finally {
        await load.stop();
        await bystanders.stop();
        await server.stop();
      }
    }
  }
  const alone = median(samples.get(0) ?? []);
  return [...samples].map(([others, found]) => ({
    'streams that get it': FEW,
    others,
    'CPU per message, publishing included, µs': Math.round(median(found)),
    ratio: twoDigits(median(found) / alone),
  }));
}

/** What an idle stream costs in the server's memory. */
export async function measureIdle(size: FanOutSize): Promise<Record<string, unknown>[]> {
  const rows: { readonly name: string; readonly bytes: number }[] = [];
  for (const name of Object.keys(contestants)) {
    const server = await contestant(name, size.idle);
    // One stream first, so that the code of streams is loaded and compiled.
    const [first, load] = [new FanOutLoad(), new FanOutLoad()];
    try {
      await first.open(server.stream, server.headers, 100);
      await server.collectGarbage(size.seconds * 100);
      const before = server.memory();
      await load.open(server.stream, server.headers, size.idle);
      await server.collectGarbage(size.seconds * 100);
      rows.push({ name, bytes: (server.memory() - before) / size.idle });
    } finally {
      await first.stop();
      await load.stop();
      await server.stop();
    }
  }
  const bytesOf = (server: string) => rows.find(({ name }) => name === server)?.bytes ?? Number.NaN;
  return rows.map(({ name, bytes }) => ({
    server: name,
    'idle streams': size.idle,
    'memory each, KiB': round(bytes / 1024),
    'of stock': twoDigits(bytes / bytesOf('stock')),
    ...('before' in contestants ? { 'of before': twoDigits(bytes / bytesOf('before')) } : {}),
  }));
}

/** Publishes at a steady rate. The server's idle work in that time is subtracted. */
async function send(
  server: Contestant,
  { perSecond, burst }: Pattern,
  seconds: number,
  idlePerSecond = 0,
): Promise<{ messages: number; cpuPerMessage: number }> {
  const cpu = server.cpu();
  const begun = performance.now();
  const requests = Math.max(1, Math.round(perSecond * seconds));
  for (let sent = 0; sent < requests; sent += 1) {
    await pause(begun + (sent * 1000) / perSecond - performance.now());
    await server.publish(Array.from({ length: burst }, () => message(server.organization)));
  }
  // The last messages are still on their way; a short run waits less.
  await pause(Math.min(1000, seconds * 500));
  const idle = (idlePerSecond * (performance.now() - begun)) / 1000;
  return { messages: requests * burst, cpuPerMessage: (server.cpu() - cpu - idle) / (requests * burst) };
}

/** The server's idle work: keep-alives, and looking for dead peers. In microseconds per second. */
async function idle(server: Contestant, seconds: number): Promise<number> {
  const before = server.cpu();
  await pause(seconds * 1000);
  return (server.cpu() - before) / seconds;
}

function message(organization: string): object {
  const made = {
    type: 'StackChanged',
    message: {
      type: 'Stack',
      id: randomUUID(),
      organization_id: organization,
      change_type: 1,
      data: { at: Math.round((performance.timeOrigin + performance.now()) * 1000), pad: '' },
    },
  };
  made.message.data.pad = 'x'.repeat(Math.max(0, PAYLOAD - JSON.stringify(made).length));
  return made;
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
const twoDigits = (value: number): number => Math.round(value * 100) / 100;
