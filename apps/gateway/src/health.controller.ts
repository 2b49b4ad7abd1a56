import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import { sql } from 'drizzle-orm';
import type { Response } from 'express';
import type { Database } from './database/database.js';
import { DATABASE } from './database/database.token.js';
import { Allow } from './identity/caller.js';

const CHECK_MS = 2000;

@Controller('health')
@Allow('anyone')
export class HealthController {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  @Get('live')
  @Header('Cache-Control', 'no-store')
  live() {
    return { status: 'ok' };
  }

  @Get('ready')
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
