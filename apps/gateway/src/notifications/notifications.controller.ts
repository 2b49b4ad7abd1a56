import { Body, Controller, Delete, Get, Inject, Post, Query, Res } from '@nestjs/common';
import { sql } from 'drizzle-orm';
import type { Response } from 'express';
import { z } from 'zod';
import type { Database, Queries } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { notificationLevels, notifications, notificationTargets } from '../database/schema/notifications.js';
import { Transactions } from '../database/transactions.js';
import { Answers } from '../http/answers.js';
import { flag, instant, line } from '../http/schemas.js';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';

const release = z.object({ critical: flag });
/** What is said, in either of two fields: existing clients know both. */
const said = z.object({ value: line(1000).optional(), message: line(1000).optional() });
const textOf = <Body extends z.output<typeof said>>(body: Body, context: z.RefinementCtx<Body>) => {
  const text = body.value ?? body.message;
  if (text !== undefined) return { ...body, text };
  context.addIssue({ code: 'custom', path: ['value'], message: 'must be given, or message' });
  return z.NEVER;
};
const releaseText = said.transform(textOf);
const systemText = said
  .extend({
    level: z.enum(notificationLevels, `must be one of ${notificationLevels.join(', ')}`).default('Info'),
    target: z.enum(notificationTargets, `must be one of ${notificationTargets.join(', ')}`).default('Both'),
  })
  .transform(textOf);

const releaseView = z.object({ critical: z.boolean(), date: instant, message: z.string() });
const systemView = z.object({
  date: instant,
  message: z.string(),
  level: z.enum(notificationLevels),
  target: z.enum(notificationTargets),
});

/** What administrators tell everyone who is signed in. */
@Controller('api/v2/notifications')
export class NotificationsController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly transactions: Transactions,
  ) {}

  @Post('release')
  @Allow('administrator')
  @Answers('Tells every app that there is a new version; a critical one makes them load it soon', {
    body: releaseView,
  })
  async release(
    @CallingUser() { userId }: UserCaller,
    @Query({ schema: release }) { critical }: z.output<typeof release>,
    @Body({ schema: releaseText }) { text }: z.output<typeof releaseText>,
  ) {
    const date = new Date();
    await this.transactions.run(async (transaction, publish) => {
      await transaction
        .insert(notifications)
        .values({ kind: 'release', message: text, critical, date, createdBy: userId });
      publish({
        type: 'ReleaseNotification',
        message: { critical, date: date.toISOString(), message: text },
      });
    });
    return { critical, date, message: text };
  }

  @Get('system')
  @Allow('user')
  @Answers('The system notification that stands', {
    body: systemView,
    also: { 204: 'There is none.' },
  })
  async system(
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.input<typeof systemView> | undefined> {
    const [standing] = await this.database.select().from(notifications).where(isStanding);
    if (standing === undefined) return void response.status(204);
    const { date, message, level, target } = standing;
    return { date, message, level: level ?? 'Info', target: target ?? 'Both' };
  }

  @Post('system')
  @Allow('administrator')
  @Answers('Shows a notification in the apps, in place of the one that stands', { body: systemView })
  async announce(
    @CallingUser() { userId }: UserCaller,
    @Body({ schema: systemText }) { text, level, target }: z.output<typeof systemText>,
  ) {
    const date = new Date();
    await this.transactions.run(async (transaction, publish) => {
      await clear(transaction, date);
      await transaction
        .insert(notifications)
        .values({ kind: 'system', message: text, level, target, date, createdBy: userId })
        // Another administrator was first by a moment.
        .onConflictDoUpdate({
          target: notifications.kind,
          targetWhere: isStanding,
          set: { message: text, level, target, date, createdBy: userId },
        });
      publish({
        type: 'SystemNotification',
        message: { date: date.toISOString(), message: text, level, target },
      });
    });
    return { date, message: text, level, target };
  }

  @Delete('system')
  @Allow('administrator')
  @Answers('Takes the system notification away', { status: 204 })
  async clear(): Promise<void> {
    const date = new Date();
    await this.transactions.run(async (transaction, publish) => {
      if ((await clear(transaction, date)) === 0) return;
      publish({ type: 'SystemNotification', message: { date: date.toISOString() } });
    });
  }
}

// The literal lets PostgreSQL see that the index fits.
const isStanding = sql`${notifications.kind} = 'system' AND ${notifications.cleared} IS NULL`;

async function clear(queries: Queries, date: Date): Promise<number> {
  const cleared = await queries
    .update(notifications)
    .set({ cleared: date })
    .where(isStanding)
    .returning({ id: notifications.id });
  return cleared.length;
}
