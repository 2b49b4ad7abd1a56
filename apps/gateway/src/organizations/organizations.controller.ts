import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { asc, eq, inArray } from 'drizzle-orm';
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Database } from '../database/database.js';
import { DATABASE } from '../database/database.token.js';
import { memberships, organizations, users } from '../database/schema.js';
import { pageOf, window } from '../http/page.js';
import { idSchema, line, paging, type Paging } from '../http/schemas.js';
import { Allow, CallingUser, type UserCaller } from '../identity/caller.js';
import { userView } from '../identity/users.controller.js';
import { Organizations, type Organization } from './organizations.js';

const newOrganization = z.object({ name: line(100) });
const member = z.object({
  id: z.uuid('must be a UUID'),
  email: z
    .string()
    .max(320)
    .transform((email) => email.trim().toLowerCase().replaceAll('\0', '')),
});

@Controller('api/v2/organizations')
@Allow('user')
export class OrganizationsController {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly organizations: Organizations,
  ) {}

  @Get()
  async list(
    @CallingUser() { organizationIds }: UserCaller,
    @Query({ schema: paging }) query: Paging,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    const { limit, offset } = window(query);
    const rows = await this.database
      .select()
      .from(organizations)
      .where(inArray(organizations.id, [...organizationIds]))
      .orderBy(asc(organizations.name), organizations.id)
      .limit(limit)
      .offset(offset);
    return pageOf(rows, query, request, response).map(view);
  }

  @Post()
  async create(
    @CallingUser() { userId }: UserCaller,
    @Body({ schema: newOrganization }) { name }: z.output<typeof newOrganization>,
  ) {
    return view(await this.organizations.create(userId, name));
  }

  @Get(':id')
  async one(@CallingUser() caller: UserCaller, @Param({ schema: idSchema }) { id }: { id: string }) {
    this.organizations.requireMember(caller, id);
    return view(await this.organizations.existing(id));
  }

  @Get(':id/users')
  async members(
    @CallingUser() caller: UserCaller,
    @Param({ schema: idSchema }) { id }: { id: string },
    @Query({ schema: paging }) query: Paging,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    this.organizations.requireMember(caller, id);
    const { limit, offset } = window(query);
    const rows = await this.database
      .select({ user: users })
      .from(memberships)
      .innerJoin(users, eq(users.id, memberships.userId))
      .where(eq(memberships.organizationId, id))
      .orderBy(asc(users.email))
      .limit(limit)
      .offset(offset);
    return pageOf(rows, query, request, response).map(({ user }) => userView(user));
  }

  @Post(':id/users/:email')
  @HttpCode(200)
  async addMember(
    @CallingUser() caller: UserCaller,
    @Param({ schema: member }) { id, email }: z.output<typeof member>,
  ) {
    this.organizations.requireMember(caller, id);
    return userView(await this.organizations.addMember(id, email));
  }

  @Delete(':id/users/:email')
  @HttpCode(204)
  async removeMember(
    @CallingUser() caller: UserCaller,
    @Param({ schema: member }) { id, email }: z.output<typeof member>,
  ): Promise<void> {
    this.organizations.requireMember(caller, id);
    await this.organizations.removeMember(id, email);
  }
}

function view({ id, name, planId, created }: Organization) {
  return { id, name, plan_id: planId, created_utc: created };
}
