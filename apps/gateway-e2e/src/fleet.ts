import {
  freePort,
  GatewayHost,
  nginxProgram,
  ProxyHost,
  TcpProxy,
  type ProxyProgram,
  type RedisHost,
} from '@crossfade/test-hosts';

interface FleetOptions {
  readonly databaseUrl: string;
  readonly redis: RedisHost;
  readonly env: Readonly<Record<string, string>>;
}

/** One gateway of a fleet, which may be killed and start again at the same address. */
export class Replica {
  #host: GatewayHost | undefined;
  #isStopped = false;
  /** What was printed by processes that ended without being told to. */
  readonly endedByThemselves: string[] = [];

  private constructor(
    private readonly options: FleetOptions,
    readonly name: string,
    readonly port: number,
    /** Between it and Redis. */
    readonly cable: TcpProxy,
  ) {}

  static async start(options: FleetOptions, name: string): Promise<Replica> {
    const cable = await TcpProxy.start(options.redis.port);
    const replica = new Replica(options, name, await freePort(), cable);
    await replica.startAgain();
    return replica;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get isRunning(): boolean {
    return this.#host !== undefined && !this.#isStopped;
  }

  /** Whether its process is there, stopped or not. */
  get isUp(): boolean {
    return this.#host !== undefined;
  }

  async startAgain(): Promise<void> {
    const { databaseUrl, redis, env } = this.options;
    this.#host = await GatewayHost.start({
      databaseUrl,
      redisUrl: this.cable.through(redis.url),
      env: { API_THROTTLE_PER_MINUTE: '0', ...env, REPLICA_NAME: this.name, PORT: String(this.port) },
    });
  }

  async kill(): Promise<void> {
    this.noteOwnEnd();
    const host = this.#host;
    this.#host = undefined;
    this.#isStopped = false;
    await host?.stop('SIGKILL');
  }

  /** Stops it in the middle of what it does, like a machine that hangs. */
  pause(): void {
    this.#isStopped = true;
    this.#signal('SIGSTOP');
  }

  resume(): void {
    this.#signal('SIGCONT');
    this.#isStopped = false;
  }

  /** Looks whether it has ended although nobody told it to. */
  noteOwnEnd(): void {
    if (this.#host !== undefined && !this.#signal(0))
      this.endedByThemselves.push(`${this.name}: ${this.#host.output.slice(-2000)}`);
  }

  #signal(signal: NodeJS.Signals | 0): boolean {
    try {
      return this.#host !== undefined && process.kill(this.#host.pid, signal);
    } catch {
      return false;
    }
  }
}

/** Replicas behind nginx, on one PostgreSQL and one Redis, each with a cable of its own to Redis. */
export class Fleet {
  private constructor(
    readonly replicas: readonly Replica[],
    private readonly nginx: ProxyHost,
  ) {}

  static async start(size: number, options: FleetOptions): Promise<Fleet> {
    const start = (_: unknown, index: number) => Replica.start(options, `replica-${index}`);
    // The first one makes the sample data.
    const first = await start(undefined, 0);
    const others = await Promise.all(Array.from({ length: size - 1 }, (_, index) => start(_, index + 1)));
    const replicas = [first, ...others];
    const nginx = await ProxyHost.start(balancing(replicas.map(({ port }) => port)), 'http://127.0.0.1');
    return new Fleet(replicas, nginx);
  }

  /** Of nginx. */
  get url(): string {
    return this.nginx.url;
  }

  endedByThemselves(): string[] {
    for (const replica of this.replicas) replica.noteOwnEnd();
    return this.replicas.flatMap(({ endedByThemselves }) => endedByThemselves);
  }

  async stop(): Promise<void> {
    await this.nginx.stop();
    await Promise.all(this.replicas.map((replica) => replica.kill()));
    await Promise.all(this.replicas.map(({ cable }) => cable.stop()));
  }
}

/** Keys in Redis of leases that somebody holds. */
export async function leaseKeys(redis: RedisHost): Promise<readonly string[]> {
  const keys = await redis.run('--scan', '--pattern', '{crossfade}:*');
  return keys.split('\n').filter((key) => /^\{crossfade\}:(lease|held|taken):/.test(key));
}

/** Any replica for any request; one that does not answer is left out for a second, and what waits for it ends. */
const balancing = (ports: readonly number[]): ProxyProgram =>
  nginxProgram(
    ({ port, mark }) => `  upstream replicas {
    ${ports.map((one) => `server 127.0.0.1:${one} max_fails=1 fail_timeout=1s;`).join(' ')}
  }
  proxy_http_version 1.1;
  proxy_connect_timeout 1s;
  proxy_read_timeout 5s;
  proxy_buffering off;
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  server {
    listen 127.0.0.1:${port};
    location = ${mark} { return 204; }
    location / { proxy_pass http://replicas; }
  }`,
  );
