import { Body, Controller, Delete, Get, Post, Query, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import { notificationLevels, notificationTargets } from '../database/schema/notifications.js';
import { Answers } from '../http/answers.js';
import { flag, instant, line } from '../http/schemas.js';
import { Notifications } from './notifications.js';

const release = z.object({ critical: flag });
/** The text is in either of two fields: existing clients use both. */
const said = z.object({ value: line(1000).optional(), message: line(1000).optional() });
const textOf = <Body extends z.output<typeof said>>(body: Body, context: z.RefinementCtx<Body>) => {
  const text = body.value ?? body.message;
  if (text !== undefined) return { ...body, text };
  context.addIssue({ code: 'custom', path: ['value'], message: 'is missing; send it, or message' });
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

/** Notifications from administrators to everyone who is signed in. */
@Controller('api/v2/notifications')
export class NotificationsController {
  constructor(private readonly notifications: Notifications) {}

  @Post('release')
  @Allow('administrator')
  @Answers('Tells every app that there is a new version; a critical one makes the apps reload soon', {
    body: releaseView,
  })
  async release(
    @CallingUser() { userId }: UserCaller,
    @Query({ schema: release }) { critical }: z.output<typeof release>,
    @Body({ schema: releaseText }) { text }: z.output<typeof releaseText>,
  ) {
    const made = { critical, date: new Date(), message: text };
    await this.notifications.release(userId, made);
    return made;
  }

  @Get('system')
  @Allow('user')
  @Answers('The current system notification', {
    body: systemView,
    also: { 204: 'There is none.' },
  })
  async system(
    @Res({ passthrough: true }) response: Response,
  ): Promise<z.input<typeof systemView> | undefined> {
    const current = await this.notifications.system();
    return current ?? void response.status(204);
  }

  @Post('system')
  @Allow('administrator')
  @Answers('Shows a system notification in the apps, in place of the current one', { body: systemView })
  async announce(
    @CallingUser() { userId }: UserCaller,
    @Body({ schema: systemText }) { text, level, target }: z.output<typeof systemText>,
  ) {
    const made = { date: new Date(), message: text, level, target };
    await this.notifications.announce(userId, made);
    return made;
  }

  @Delete('system')
  @Allow('administrator')
  @Answers('Removes the system notification', { status: 204 })
  async clear(): Promise<void> {
    await this.notifications.clearSystem(new Date());
  }
}
