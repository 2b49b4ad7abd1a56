import { Controller, Get, Header, Inject, Res, type OnModuleDestroy } from '@nestjs/common';
import { sql } from 'drizzle-orm';
import type { Response } from 'express';
import type { Database } from './database/database.js';
import { AUTHENTICATION_DATABASE } from './database/database.token.js';
import { z } from 'zod';
import { Answers } from './http/answers.js';
import { CountsAgainst } from './access/throttle.js';
import { Allow } from './access/caller.js';

const CHECK_MS = 2000;

const live = z.object({ status: z.literal('ok') });
const check = z.enum(['ok', 'unavailable']);
const ready = z.object({
  status: z.enum(['ok', 'unavailable', 'draining']),
  checks: z.object({ database: check }),
});

const notReady = { 503: { why: 'The database does not answer, or the process is ending.', body: ready } };

@Controller('health')
@Allow('anyone')
@CountsAgainst('none')
export class HealthController implements OnModuleDestroy {
  #isDraining = false;

  /** One question at a time: probes of a database that does not answer must not take its connections. */
  #asked: Promise<'ok' | 'unavailable'> | undefined;

  constructor(@Inject(AUTHENTICATION_DATABASE) private readonly database: Database) {}

  /** The first step of an orderly end, before streams are told to move. */
  onModuleDestroy(): void {
    this.#isDraining = true;
  }

  @Get('live')
  @Answers('Whether the process runs', { body: live })
  @Header('Cache-Control', 'no-store')
  live() {
    return { status: 'ok' };
  }

  /** Where load balancers that know the field's servers look. */
  @Get()
  @Answers('Whether it can serve, as health/ready', { body: ready, also: notReady })
  @Header('Cache-Control', 'no-store')
  health(@Res({ passthrough: true }) response: Response) {
    return this.ready(response);
  }

  @Get('ready')
  @Answers('Whether it can serve', { body: ready, also: notReady })
  @Header('Cache-Control', 'no-store')
  async ready(@Res({ passthrough: true }) response: Response) {
    const database = await this.#checkDatabase();
    const status = this.#isDraining ? 'draining' : database;
    if (status !== 'ok') response.status(503);
    return { status, checks: { database } };
  }

  async #checkDatabase(): Promise<'ok' | 'unavailable'> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'unavailable'>((resolve) => {
      timer = setTimeout(() => resolve('unavailable'), CHECK_MS);
    });
    this.#asked ??= this.#ask().finally(() => (this.#asked = undefined));
    return Promise.race([this.#asked, late]).finally(() => clearTimeout(timer));
  }

  #ask(): Promise<'ok' | 'unavailable'> {
    return this.database.execute(sql`SELECT 1`).then(
      () => 'ok' as const,
      () => 'unavailable' as const,
    );
  }
}
