import { Body, Controller, Delete, Get, Header, Inject, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import { Allow, CallingUser, type UserCaller } from '../access/caller.js';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { Answers } from '../http/answers.js';
import { Page, paging, type Paging } from '../http/page.js';
import { emailAddress, idSchema, instant, uuid } from '../http/schemas.js';
import { linkTo } from '../identity/link.js';
import { OutgoingMail } from '../identity/mailer.js';
import { SETTINGS, type Settings } from '../process/settings.js';
import { Invitations, type Invitation } from './invitations.js';
import { Organizations, type Organization } from './organizations.js';

const invited = idSchema.extend({ email: emailAddress });
const ofOrganization = idSchema.extend({ invitation_id: uuid });
const bySecret = z.object({ secret: z.string().max(200) });

const offerView = z.object({
  organization_name: z.string(),
  invited_by: z.string().nullable().meta({ description: "The inviter's name." }),
  created_utc: instant,
  expires_utc: instant,
});
const receivedView = offerView.extend({ id: z.uuid(), organization_id: z.uuid() });
const sentView = z.object({
  id: z.uuid(),
  email_address: z.string(),
  invited_by: z.string().nullable().meta({ description: "The inviter's name." }),
  created_utc: instant,
  expires_utc: instant,
});
const newView = sentView.extend({
  link: z.string().meta({ description: 'Shown only this once; whoever has it can accept.' }),
});
const joinedView = z.object({ organization_id: z.uuid(), organization_name: z.string() });

const foreign = { 404: 'There is no such organization for the caller.' };
const atLimit = {
  409: 'The account is in too many organizations, or the organization has too many members.',
};

/** Invitations, for members who invite and for the invited. */
@Controller('api/v2')
@Allow('user')
export class InvitationsController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly organizations: Organizations,
    private readonly invitations: Invitations,
    private readonly mail: OutgoingMail,
  ) {}

  @Post('organizations/:id/users/:email')
  @Header('Cache-Control', 'no-store')
  @Answers('Invites an address, whether it has an account or not; replaces an older invitation', {
    status: 202,
    body: newView,
    also: { ...foreign, 409: 'The organization has too many open invitations.' },
  })
  async invite(
    @CallingUser() caller: UserCaller,
    @Param({ schema: invited }) { id, email }: z.output<typeof invited>,
  ): Promise<z.input<typeof newView>> {
    this.organizations.requireMember(caller, id);
    const made = await this.invitations.invite(id, email, caller.userId);
    const link = linkTo('invitation', made.secret, this.settings);
    this.mail.send({ about: 'invitation', to: email, link, expires: made.invitation.expires });
    return { ...toSentView(made), link };
  }

  @Get('organizations/:id/invitations')
  @Answers("An organization's open invitations, newest first", {
    body: sentView,
    list: true,
    also: foreign,
  })
  async sent(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: paging }) query: Paging,
  ) {
    this.organizations.requireMember(caller, id);
    const found = this.invitations.ofOrganization(id);
    return (await Page.read(this.database, found, query)).map(toSentView);
  }

  @Delete('organizations/:id/invitations/:invitation_id')
  @Answers('Withdraws an invitation; its link stops working', {
    status: 204,
    also: { 404: 'There is no such organization for the caller, or it has no such invitation.' },
  })
  async withdraw(
    @CallingUser() caller: UserCaller,
    @Param({ schema: ofOrganization }) { id, invitation_id }: z.output<typeof ofOrganization>,
  ): Promise<void> {
    this.organizations.requireMember(caller, id);
    await this.invitations.withdraw(id, invitation_id);
  }

  @Get('users/me/invitations')
  @Answers("The invitations for the caller's account, newest first", { body: receivedView, list: true })
  async received(@CallingUser() { userId }: UserCaller, @Query({ schema: paging }) query: Paging) {
    const found = this.invitations.ofAccount(userId);
    return (await Page.read(this.database, found, query)).map((row): z.input<typeof receivedView> => ({
      ...toOfferView(row),
      id: row.invitation.id,
      organization_id: row.invitation.organizationId,
    }));
  }

  @Post('users/me/invitations/:id/accept')
  @Answers("Accepts an invitation for the caller's account", {
    body: joinedView,
    also: { 404: 'There is no such invitation for the account.', ...atLimit },
  })
  async accept(@CallingUser() { userId }: UserCaller, @Param({ schema: idSchema }) { id }: { id: string }) {
    return toJoinedView(await this.invitations.accept(userId, id));
  }

  @Delete('users/me/invitations/:id')
  @Answers('Declines an invitation; the inviter is not told', {
    status: 204,
    also: { 404: 'There is no such invitation for the account.' },
  })
  async decline(
    @CallingUser() { userId }: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
  ): Promise<void> {
    await this.invitations.decline(userId, id);
  }

  @Post('invitations/read')
  @Allow('anyone')
  @Answers("What an invitation's link is for", {
    body: offerView,
    also: { 404: 'The invitation is unknown, was accepted or withdrawn, or has expired.' },
  })
  async read(@Body({ schema: bySecret }) { secret }: z.output<typeof bySecret>) {
    return toOfferView(await this.invitations.ofSecret(secret));
  }

  @Post('invitations/accept')
  @Answers('Accepts an invitation by its link', {
    body: joinedView,
    also: { 404: 'The invitation is unknown, was accepted or withdrawn, or has expired.', ...atLimit },
  })
  async acceptBySecret(
    @CallingUser() { userId }: UserCaller,
    @Body({ schema: bySecret }) { secret }: z.output<typeof bySecret>,
  ) {
    return toJoinedView(await this.invitations.acceptBySecret(userId, secret));
  }
}

function toOfferView({
  invitation: { created, expires },
  organizationName,
  inviterName,
}: Invitation): z.input<typeof offerView> {
  return {
    organization_name: organizationName,
    invited_by: inviterName,
    created_utc: created,
    expires_utc: expires,
  };
}

function toSentView({
  invitation: { id, email, created, expires },
  inviterName,
}: Invitation): z.input<typeof sentView> {
  return { id, email_address: email, invited_by: inviterName, created_utc: created, expires_utc: expires };
}

const toJoinedView = ({ id, name }: Organization): z.input<typeof joinedView> => ({
  organization_id: id,
  organization_name: name,
});
