import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  ApiClient,
  GatewayHost,
  PostgresHost,
  RedisHost,
  newDatabase,
  sampleToken,
  type GatewayOptions,
} from '@crossfade/test-hosts';

/** Lets the bench make a server collect its garbage before its memory is read. */
const NODE_OPTIONS = `--expose-gc --no-warnings --experimental-transform-types --import=${fileURLToPath(new URL('./servers/collect-garbage.ts', import.meta.url))}`;

/** A server under measurement: where its streams are, and how messages reach it. */
export class Contestant {
  constructor(
    /** Its processes: the one that has the streams comes first. */
    readonly pids: readonly [number, ...number[]],
    /** The URL at which streams are opened. */
    readonly stream: string,
    /** The headers of a stream's request. */
    readonly headers: Readonly<Record<string, string>>,
    private readonly messages: string,
    private readonly publisherToken: string,
    /** The organization that gets the messages. `bystanders` are the headers of a stream that does not get them. */
    readonly organization: string,
    readonly bystanders: Readonly<Record<string, string>>,
    readonly stop: () => Promise<unknown>,
  ) {}

  /** Publishes these in one request. */
  async publish(messages: readonly object[]): Promise<void> {
    const response = await fetch(this.messages, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.publisherToken}` },
      body: JSON.stringify(messages.length === 1 ? messages[0] : messages),
    });
    const text = await response.text();
    if (response.status !== 202) throw new Error(`publishing returned ${response.status}: ${text}`);
  }

  /** Processor time of all its processes, in microseconds. */
  cpu(): number {
    return this.pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
  }

  /** Collects the garbage of opening streams, which would otherwise be collected during a measurement. */
  async collectGarbage(pauseMs: number): Promise<void> {
    for (let round = 0; round < 3; round += 1) {
      for (const pid of this.pids) process.kill(pid, 'SIGUSR2');
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** Memory of the process with the streams in bytes, as the operating system counts it. */
  memory(): number {
    return (
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pids[0]}/status`, 'utf8'))?.[1] ?? 0) * 1024
    );
  }
}

/** Processor time of a process in microseconds, as the operating system counts it. */
export function cpuOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  // In nanoseconds; /proc/PID/stat counts in ticks of ten milliseconds.
  const spent = readdirSync(tasks).map((task) =>
    Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ', 1)[0]),
  );
  return spent.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1000;
}

/** Plain Node, or NestJS as its documentation shows it. */
async function plain(file: URL, stream: string, messages: string): Promise<Contestant> {
  const child = fork(fileURLToPath(file), [], { env: { ...process.env, NODE_OPTIONS }, execArgv: [] });
  const [{ ready }] = (await once(child, 'message')) as [{ ready: string }];
  const url = ready.replace('[::1]', '127.0.0.1');
  return new Contestant([child.pid ?? 0], url + stream, {}, url + messages, 'none', 'o', {}, async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
}

/** On PostgreSQL, as in production: the embedded database would run in the measured process. */
async function gateway(streams: number, checkout?: string): Promise<Contestant> {
  const postgres = await PostgresHost.start();
  const host = await startGateway(streams, newDatabase(postgres.port), { checkout });
  return contestantOf(host, host, async () => {
    await host.stop('SIGKILL');
    await postgres.stop();
  });
}

/** Two of them on one Redis: streams are on the first, and messages come from the second. Redis' own time is not counted. */
async function replicas(streams: number): Promise<Contestant> {
  const postgres = await PostgresHost.start();
  const redis = await RedisHost.start();
  const databaseUrl = newDatabase(postgres.port);
  const publisher = await startGateway(streams, databaseUrl, { redisUrl: redis.url });
  const host = await startGateway(streams, databaseUrl, { redisUrl: redis.url });
  return contestantOf(host, publisher, async () => {
    await Promise.all([host.stop('SIGKILL'), publisher.stop('SIGKILL')]);
    await redis.stop();
    await postgres.stop();
  });
}

const startGateway = (
  streams: number,
  databaseUrl: string,
  options: Pick<GatewayOptions, 'checkout' | 'redisUrl'>,
): Promise<GatewayHost> =>
  GatewayHost.start({
    ...options,
    env: {
      NODE_OPTIONS,
      DATABASE_URL: databaseUrl,
      API_THROTTLE_PER_MINUTE: '0',
      LOG_LEVEL: 'warn',
      PUSH_MAX_CONNECTIONS_PER_USER: String(streams * 2),
      PUSH_DRAIN_SECONDS: '0',
    },
  });

async function contestantOf(
  host: GatewayHost,
  publisher: GatewayHost,
  stop: () => Promise<unknown>,
): Promise<Contestant> {
  // Both are in Acme, and the administrator alone is in Globex.
  const admin = await ApiClient.login(host.url, 'admin@crossfade.test');
  const member = await ApiClient.login(host.url, 'member@crossfade.test');
  const organizations = await admin.json<{ id: string; name: string }[]>('GET', '/organizations');
  return new Contestant(
    host === publisher ? [host.pid] : [host.pid, publisher.pid],
    `${host.url}/api/v2/push`,
    { Authorization: `Bearer ${admin.token}` },
    `${publisher.url}/api/v2/push/messages`,
    sampleToken.service,
    organizations.find(({ name }) => name === 'Globex')?.id ?? '',
    { Authorization: `Bearer ${member.token}` },
    stop,
  );
}

/** Another built checkout, whose gateway is measured in the same run. */
export const before = process.env['BENCH_BEFORE'];

/** `BENCH_REPLICAS=0` leaves out what needs several gateways, which takes minutes. */
export const withReplicas = process.env['BENCH_REPLICAS'] !== '0';

/** By name, in the order of the tables. */
export const contestants: Readonly<Record<string, (streams: number) => Promise<Contestant>>> = {
  floor: () => plain(new URL('./servers/floor.ts', import.meta.url), '/', '/'),
  stock: () => plain(new URL('./servers/stock.ts', import.meta.url), '/stream', '/messages'),
  ...(before === undefined ? {} : { before: (streams: number) => gateway(streams, before) }),
  gateway: (streams) => gateway(streams),
  ...(withReplicas ? { replicas: (streams: number) => replicas(streams) } : {}),
};

/** Starts a contestant by its name. */
export function contestant(name: string, streams: number): Promise<Contestant> {
  const start = contestants[name];
  if (start === undefined) throw new Error(`there is no contestant ${name}`);
  return start(streams);
}
