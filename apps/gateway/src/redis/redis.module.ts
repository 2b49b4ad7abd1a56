import { Global, Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { memoryLimiter } from '@crossfade/push';
import type { Redis } from '@crossfade/push/redis';
import { LIMITER, REDIS } from './redis.token.js';

/** What replicas share besides the database. Without Redis, this process shares with nobody. */
@Global()
@Module({})
export class RedisModule implements OnApplicationShutdown {
  constructor(@Inject(REDIS) private readonly redis: Redis | undefined) {}

  static of(redis: Redis | undefined): DynamicModule {
    return {
      module: RedisModule,
      providers: [
        { provide: REDIS, useValue: redis },
        { provide: LIMITER, useValue: redis?.limiter ?? memoryLimiter },
      ],
      exports: [REDIS, LIMITER],
    };
  }

  /** Global modules shut down after those that use them. */
  onApplicationShutdown(): void {
    this.redis?.close();
  }
}
