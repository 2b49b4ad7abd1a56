import { Controller, Get, Header, Inject, Res, type OnModuleDestroy } from '@nestjs/common';
import type { Redis } from '@crossfade/push/redis';
import { sql } from 'drizzle-orm';
import type { Response } from 'express';
import { z } from 'zod';
import { Allow } from './access/caller.js';
import { CountsAgainst } from './access/throttle.js';
import type { Database } from './database/database.js';
import { AUTHENTICATION_DATABASE } from './database/database.token.js';
import { Answers } from './http/answers.js';
import { REDIS } from './redis/redis.token.js';

const CHECK_MS = 2000;

const live = z.object({ status: z.literal('ok') });
const check = z.enum(['ok', 'unavailable']);
const ready = z.object({
  status: z.enum(['ok', 'unavailable', 'draining']),
  checks: z.object({ database: check, redis: check.optional() }),
});

const notReady = {
  503: { why: 'The database does not respond, or the process is shutting down.', body: ready },
};

@Controller('health')
@Allow('anyone')
@CountsAgainst('none')
export class HealthController implements OnModuleDestroy {
  #isDraining = false;

  /** One check at a time: probes must not take all connections of a database that does not respond. */
  #checking: Promise<'ok' | 'unavailable'> | undefined;

  constructor(
    @Inject(AUTHENTICATION_DATABASE) private readonly database: Database,
    @Inject(REDIS) private readonly redis: Redis | undefined,
  ) {}

  /** The first step of a graceful shutdown, before the streams are drained. */
  onModuleDestroy(): void {
    this.#isDraining = true;
  }

  @Get('live')
  @Answers('Whether the process is running', { body: live })
  @Header('Cache-Control', 'no-store')
  live() {
    return { status: 'ok' };
  }

  /** For load balancers that are configured for similar servers. */
  @Get()
  @Answers('Whether it can serve, like `health/ready`', { body: ready, also: notReady })
  @Header('Cache-Control', 'no-store')
  health(@Res({ passthrough: true }) response: Response) {
    return this.ready(response);
  }

  @Get('ready')
  @Answers('Whether it can serve', { body: ready, also: notReady })
  @Header('Cache-Control', 'no-store')
  async ready(@Res({ passthrough: true }) response: Response) {
    const [database, redis] = await Promise.all([this.#checkDatabase(), this.#checkRedis()]);
    const status = this.#isDraining ? 'draining' : database;
    if (status !== 'ok') response.status(503);
    return { status, checks: { database, ...redis } };
  }

  /** Without Redis, requests are served all the same. */
  async #checkRedis(): Promise<{ redis?: z.output<typeof check> }> {
    if (this.redis === undefined) return {};
    return { redis: (await this.redis.answers()) ? 'ok' : 'unavailable' };
  }

  async #checkDatabase(): Promise<'ok' | 'unavailable'> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'unavailable'>((resolve) => {
      timer = setTimeout(() => resolve('unavailable'), CHECK_MS);
    });
    this.#checking ??= this.#query().finally(() => (this.#checking = undefined));
    return Promise.race([this.#checking, late]).finally(() => clearTimeout(timer));
  }

  #query(): Promise<'ok' | 'unavailable'> {
    return this.database.execute(sql`SELECT 1`).then(
      () => 'ok' as const,
      () => 'unavailable' as const,
    );
  }
}
