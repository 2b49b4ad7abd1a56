import { eventually } from '@crossfade/protocol/testing';
import { freePort } from './ports.ts';
import { RedisHost } from './redis.ts';

/** The first slot of each master, and the one behind the last. */
const BOUNDS = [0, 5461, 10_923, 16_384];

/** A real Redis Cluster of three masters, each with the user of the documentation. */
export class RedisClusterHost {
  private constructor(readonly masters: readonly RedisHost[]) {}

  static async start(): Promise<RedisClusterHost> {
    const busPorts = [await freePort(), await freePort(), await freePort()];
    const masters = await Promise.all(
      busPorts.map((port) =>
        RedisHost.start({ settings: ['--cluster-enabled', 'yes', '--cluster-port', String(port)] }),
      ),
    );
    const [first] = masters;
    for (const [index, master] of masters.entries()) {
      const last = (BOUNDS[index + 1] ?? 0) - 1;
      await master.run('CLUSTER', 'ADDSLOTSRANGE', String(BOUNDS[index]), String(last));
      await master.run('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
      if (master !== first)
        await first?.run('CLUSTER', 'MEET', '127.0.0.1', String(master.port), String(busPorts[index]));
    }
    for (const master of masters) {
      const knows = async () => {
        const known = await master.run('CLUSTER', 'INFO');
        return (known.includes('cluster_state:ok') && known.includes('cluster_known_nodes:3')) || undefined;
      };
      await eventually('the Cluster', knows, 60_000);
    }
    return new RedisClusterHost(masters);
  }

  /** Names all masters. */
  get url(): string {
    const [first] = this.masters;
    const rest = this.masters.slice(1).map(({ port }) => `,127.0.0.1:${port}`);
    return `${first?.url.replace('redis:', 'redis+cluster:')}${rest.join('')}`;
  }

  async stop(): Promise<void> {
    await Promise.all(this.masters.map((master) => master.stop()));
  }
}
