import { newDatabase, PostgresHost, RedisHost } from '@crossfade/test-hosts';
import { Fleet, leaseKeys, type Replica } from '../fleet.ts';
import { unappended } from '../outbox-rows.ts';

const REPLICAS = 3;
/** Longer than Redis is away in a fault, so that what follows a hole is what notices a right that has ended meanwhile. */
const REAUTHORIZE_SECONDS = 10;
export const UNCONFIRMED_SECONDS = 20;

/** Three replicas behind nginx, on a PostgreSQL and a Redis of their own. */
export class Installation {
  /** When Redis was killed and lost its data, milliseconds since 1970. */
  readonly redisLostAt: number[] = [];

  private constructor(
    readonly postgres: PostgresHost,
    readonly redis: RedisHost,
    private readonly databaseUrl: string,
    readonly fleet: Fleet,
  ) {}

  static async start(): Promise<Installation> {
    const [postgres, redis] = await Promise.all([PostgresHost.start(), RedisHost.start()]);
    const databaseUrl = newDatabase(postgres.port);
    const fleet = await Fleet.start(REPLICAS, {
      databaseUrl,
      redis,
      env: {
        ENABLE_SIGNUP: 'true',
        PUSH_KEEP_ALIVE_SECONDS: '1',
        PUSH_HEARTBEAT_SECONDS: '1',
        PUSH_MAX_CONNECTIONS_PER_USER: '200',
        PUSH_REAUTHORIZE_SECONDS: String(REAUTHORIZE_SECONDS),
        PUSH_UNCONFIRMED_SECONDS: String(UNCONFIRMED_SECONDS),
      },
    });
    return new Installation(postgres, redis, databaseUrl, fleet);
  }

  get url(): string {
    return this.fleet.url;
  }

  get running(): readonly Replica[] {
    return this.fleet.replicas.filter(({ isRunning }) => isRunning);
  }

  /** Messages that are committed and in no log yet, in rows. */
  get unappended(): number {
    return unappended(this.databaseUrl);
  }

  /** Keys in Redis of leases that somebody holds. */
  leases(): Promise<readonly string[]> {
    return leaseKeys(this.redis);
  }

  async stop(): Promise<void> {
    await this.fleet.stop();
    await Promise.all([this.redis.stop(), this.postgres.stop()]);
  }
}
