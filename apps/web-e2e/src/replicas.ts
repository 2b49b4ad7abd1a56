import { randomUUID } from 'node:crypto';
import { GatewayHost, freePort, newDatabase, type GatewayOptions } from '@crossfade/test-hosts';
// What `inject` gives.
import type {} from '@crossfade/test-hosts/servers';
import { inject } from 'vitest';

/** Each app is opened from the replica of its name, and whoever asks the API without an app asks the third. */
const names = ['modern', 'legacy', 'third'] as const;
type ReplicaName = (typeof names)[number];

/** A gateway of the fleet, which can be ended and started again at the same address. */
class Replica {
  #host: GatewayHost | undefined;

  constructor(
    private readonly options: GatewayOptions,
    private readonly port: number,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.#host = await GatewayHost.start(this.options);
  }

  /** As an operator would. */
  async stop(): Promise<void> {
    await this.#host?.stop();
    this.#host = undefined;
  }
}

export type Replicas = Readonly<Record<ReplicaName, Replica>>;

/**
 * Starts three gateways on one PostgreSQL and one Redis, all at once, as the documentation allows. What an app hears of has
 * then happened on another replica, unless the same app did it.
 */
export async function startReplicas(env: NonNullable<GatewayOptions['env']> = {}): Promise<Replicas> {
  const databaseUrl = newDatabase(inject('postgresPort'));
  const prefix = `crossfade-${randomUUID()}`;
  const replica = async (name: ReplicaName) => {
    const port = await freePort();
    const own = { PORT: String(port), REDIS_PREFIX: prefix, REPLICA_NAME: name };
    return new Replica({ databaseUrl, redisUrl: inject('redisUrl'), env: { ...env, ...own } }, port);
  };
  const [modern, legacy, third] = [await replica('modern'), await replica('legacy'), await replica('third')];
  const replicas = { modern, legacy, third };
  await Promise.all(names.map((name) => replicas[name].start()));
  return replicas;
}
