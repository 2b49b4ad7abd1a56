import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import { sql } from 'drizzle-orm';
import type { Response } from 'express';
import type { Database } from './database/database.js';
import { DATABASE } from './database/database.token.js';
import { z } from 'zod';
import { Answers } from './http/answers.js';
import { CountsAgainst } from './http/throttle.js';
import { Allow } from './identity/caller.js';

const CHECK_MS = 2000;

const live = z.object({ status: z.literal('ok') });
const check = z.enum(['ok', 'unavailable']);
const ready = z.object({ status: check, checks: z.object({ database: check }) });

@Controller('health')
@Allow('anyone')
@CountsAgainst('none')
export class HealthController {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  @Get('live')
  @Answers('Whether the process runs', { body: live })
  @Header('Cache-Control', 'no-store')
  live() {
    return { status: 'ok' };
  }

  @Get('ready')
  @Answers('Whether it can serve', {
    body: ready,
    also: { 503: { why: 'The database does not answer.', body: ready } },
  })
  @Header('Cache-Control', 'no-store')
  async ready(@Res({ passthrough: true }) response: Response) {
    const database = await this.#checkDatabase();
    if (database !== 'ok') response.status(503);
    return { status: database, checks: { database } };
  }

  async #checkDatabase(): Promise<'ok' | 'unavailable'> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'unavailable'>((resolve) => {
      timer = setTimeout(() => resolve('unavailable'), CHECK_MS);
    });
    const asked = this.database.execute(sql`SELECT 1`).then(
      () => 'ok' as const,
      () => 'unavailable' as const,
    );
    return Promise.race([asked, late]).finally(() => clearTimeout(timer));
  }
}
