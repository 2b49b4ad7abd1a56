import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../clock.js';
import { eventually } from '../testing/index.js';
import { readRedisAddress } from './address.js';
import { RedisConnection } from './connection.js';
import { freePort, redisProgram, RedisServer } from './redis-server.spec-kit.js';

/** A connection to an address, with the errors that it reported. */
export async function connectTo(url: string): Promise<RedisConnection & { errors: unknown[] }> {
  const address = readRedisAddress(url);
  if ('fault' in address) throw new Error(address.fault);
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const connection = new RedisConnection({ address, name: 'test', clock: systemClock, onError });
  await connection.connect();
  return Object.assign(connection, { errors });
}

/** A Sentinel that decides alone about a master, which it calls `main`. */
export class Sentinel {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async start(masterPort: number, ...settings: readonly string[]): Promise<Sentinel> {
    const folder = mkdtempSync(join(tmpdir(), 'crossfade-sentinel-'));
    const port = await freePort();
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor main 127.0.0.1 ${masterPort} 1`,
      'sentinel down-after-milliseconds main 500',
      'sentinel failover-timeout main 5000',
      ...settings,
    ];
    writeFileSync(join(folder, 'sentinel.conf'), `${lines.join('\n')}\n`);
    const child = spawn(redisProgram(), [join(folder, 'sentinel.conf'), '--sentinel'], { stdio: 'ignore' });
    return new Sentinel(child, folder, port);
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A Cluster of three masters, and a replica of the first. */
export class Cluster {
  private constructor(readonly servers: readonly RedisServer[]) {}

  static async start(): Promise<Cluster> {
    const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000'];
    const start = () => freeBusPort().then((port) => RedisServer.startOn(port, ...settings));
    const servers = await Promise.all([start(), start(), start(), start()]);
    const cluster = new Cluster(servers);
    const [a, , , replica] = servers as [RedisServer, RedisServer, RedisServer, RedisServer];
    const slots = [
      ['0', '5460'],
      ['5461', '10922'],
      ['10923', '16383'],
    ];
    for (const [index, server] of servers.entries()) {
      const [from, to] = slots[index] ?? [];
      if (from !== undefined && to !== undefined) await ask(server, 'CLUSTER', 'ADDSLOTSRANGE', from, to);
      await ask(server, 'CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
    }
    for (const server of servers.slice(1)) await ask(server, 'CLUSTER', 'MEET', '127.0.0.1', String(a.port));
    const id = String(await ask(a, 'CLUSTER', 'MYID'));
    await eventually(
      'the replica',
      () =>
        ask(replica, 'CLUSTER', 'REPLICATE', id).then(
          () => true,
          () => undefined,
        ),
      15_000,
    );
    for (const server of servers) {
      await eventually(
        'the Cluster',
        async () => {
          const known = String(await ask(server, 'CLUSTER', 'INFO'));
          return (known.includes('cluster_state:ok') && known.includes('cluster_known_nodes:4')) || undefined;
        },
        15_000,
      );
    }
    await eventually(
      'replication',
      async () =>
        String(await ask(replica, 'INFO', 'replication')).includes('master_link_status:up') || undefined,
      15_000,
    );
    return cluster;
  }

  get url(): string {
    return `redis+cluster://${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

/** The other port of a node is higher by 10,000. */
async function freeBusPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port < 55_000) return port;
  }
}

/** Sends one command to one server, or to the one at a URL. */
export async function ask(server: RedisServer | string, ...command: string[]) {
  const connection = await connectTo(typeof server === 'string' ? server : server.url);
  try {
    return await connection.send('', command);
  } finally {
    connection.close();
  }
}
